/* Waiting for the end of a process of ours, and for how it ended.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_ENDING_H
#define PLAIT__TASK_ENDING_H

#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

/* Between the end of a process that the host does not wait for and its release the kernel does not say
 * yet how it ended (plait__death.is_untold): is that still worth waiting for? *until_ns is the
 * process's own, 0 at first. */
bool plait__ending_may_be_told(int64_t *until_ns);

/* Waits until the process behind the pidfd has ended and `look` has something else to say than -EAGAIN,
 * which is what this says then; or why it waits no longer. */
int plait__ending_await(int pidfd, int (*look)(void *arg), void *arg, plait_deadline until);

#endif
