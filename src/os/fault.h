/* Handlers of faults, and the stacks that they need. For programs that ask for it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_FAULT_H
#define PLAIT__OS_FAULT_H

/* Gives the calling thread an alternate stack for signal handlers, if it has none. 0, -ENOMEM. */
int plait__os_alt_stack(void);
/* Takes it back, if it was that. */
void plait__os_alt_stack_fini(void);

/* Has fn called when a thread has touched an address that it may not touch, with that address and on
 * the alternate stack; whatever had the signal before us has it afterwards. 0 or -errno; once is
 * enough. */
int plait__os_on_fault(void (*fn)(const void *address));

#endif
