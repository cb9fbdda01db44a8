/* The lock debug mode, PLAIT_DEBUG=locks: who holds what since when, said when somebody waits long
 * for it, when tasks wait for each other, and when a task ends that holds something.
 * SPDX-License-Identifier: MIT
 *
 * Called only if plait__debug_locks() says so. For that a task's number is not at hand where the
 * mode is on (wait/sleeper.h): a free lock, too, is then taken and released the slow way, and the
 * short one pays nothing for this mode. Nothing here changes what a lock does.
 */
#ifndef PLAIT__SYNC_DEBUG_H
#define PLAIT__SYNC_DEBUG_H

#include "base/debug.h"
#include "sync/notes.h"

/* Where the program has called us. Of use in exported functions only. */
#define PLAIT__CALLER __builtin_return_address(0)

/* The running task is about to wait for the lock, and does so no more. */
void plait__debug_waits(enum plait__note_kind kind, const void *lock, const void *place);
void plait__debug_waits_no_more(void);
/* It has it; it is about to release it. */
void plait__debug_holds(enum plait__note_kind kind, const void *lock, const void *place);
void plait__debug_releases(enum plait__note_kind kind, const void *lock);
/* It looks up from its wait, if it does wait for a lock: is there something to say? */
void plait__debug_looks(void);

/* The running task ends; with_process: all tasks of this process do. */
void plait__debug_ends(bool with_process);

#endif
