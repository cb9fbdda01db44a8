/* Scopes: one deadline around many waits; and putting off being asked to end.
 * SPDX-License-Identifier: MIT
 *
 *     plait_scope scope;
 *     plait_scope_enter(&scope, plait_after_ms(2000));
 *     int rc = talk(server);              // waits as it likes, and for two seconds altogether
 *     if (plait_scope_leave(&scope))      // rc is -ETIMEDOUT, and that was our deadline
 *         rc = try_another(server);
 *
 * Within a scope each wait of this task ends at the sooner of its own deadline and the scope's: by
 * -ETIMEDOUT. Scopes lie in each other, and the sooner one counts. So a function that was written
 * without a deadline gets one: this is gevent's Timeout, and Python's asyncio.timeout. Tasks that are
 * started within a scope are not in it.
 *
 *     plait_cancel_mask();
 *     plait_queue_put(log, "bye", 4, plait_after_ms(100)); // also in a task that was asked to end
 *     plait_cancel_unmask();
 *
 * A task that was asked to end is told -ECANCELED by each of its waits. What has to be waited for
 * nevertheless, to clean up, is put between these two: meanwhile nobody asks it to end, and scopes
 * that were entered before do not count. Python calls that a shield.
 */
#ifndef PLAIT_SCOPE_H
#define PLAIT_SCOPE_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

PLAIT_BEGIN

/* A scope; 64 bytes, mostly on the stack. Its fields are plait's own. */
typedef struct plait_scope {
    void *sleeper; /* whose scope it is */
    int64_t until_ns;
    int64_t outer_ns; /* what held before */
    uint32_t outer_masks;
    bool is_sooner; /* than what held before */
    uint64_t spare[4];
} plait_scope;

/* From now on no wait of the running task is longer than until then.
 *
 *   scope     memory for it, whatever is in there; the caller's until plait_scope_leave.
 *   until     the deadline. One later than that of a scope around this one changes nothing.
 *   Returns   0.
 *   Blocks    no.
 *   From      any task. It is the task's alone, and is to be left by it, before the scopes around it.
 *   Errors    -EINVAL  scope is NULL.
 *   Fork      usable in the child. A scope that a thread has entered before a fork holds in the child
 *             too; one of a coroutine does not, but may be left there.
 *   Since     0.1
 */
PLAIT_API int plait_scope_enter(plait_scope *scope, plait_deadline until);

/* The end of a scope. What held before it holds again.
 *
 *   scope     what was entered last; NULL, and one that was left already, are fine.
 *   Returns   true if it was this scope's deadline that has passed: it has, and that of the scopes
 *             around it was not sooner.
 *   Blocks    no.
 *   From      the task that entered it.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_scope_leave(plait_scope *scope);

/* Put off being asked to end: until plait_cancel_unmask no wait of the running task says
 * -ECANCELED, and scopes that were entered before do not count. May be done several times over.
 *
 *   Blocks    no.
 *   From      any task. For one that cannot be asked to end, such as a thread of the host's, it does
 *             no more than lift the scopes.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API void plait_cancel_mask(void);

/* Undo one plait_cancel_mask.
 *
 *   Blocks    no. Whoever was asked to end meanwhile hears of it at its next wait.
 *   From      the task that called plait_cancel_mask.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API void plait_cancel_unmask(void);

PLAIT_END

#endif
