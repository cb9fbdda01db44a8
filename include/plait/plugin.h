/* Plugins: functions of text or bytes, for pools and for the plait tool.
 * SPDX-License-Identifier: MIT
 *
 *     int shout(plait_task *task, const void *in, size_t n)   // cc -shared -fPIC -o shout.so
 *     {
 *         const char *text = in;
 *         for (size_t i = 0; i < n; i++) {
 *             char big = (char)toupper((unsigned char)text[i]);
 *             int rc = plait_task_write(task, &big, 1);
 *             if (rc < 0)
 *                 return rc;
 *         }
 *         return n > 0 ? 0 : plait_task_fail(task, "nothing to shout");
 *     }
 *
 * Such a function gets bytes and writes bytes, as many as it likes. plait_pool_submit takes it as
 * text_fn. The functions below are for the time in which a job runs, in the task that runs it, and
 * may be called from any function of a pool: there `task` is plait_task_current().
 */
#ifndef PLAIT_PLUGIN_H
#define PLAIT_PLUGIN_H

#include <plait/export.h>
#include <plait/task.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* A function of a plugin: `in` are n bytes. 0 or more: a value, which is what it has written;
 * negative: an error of its own. */
typedef int plait_pool_text_fn(plait_task *task, const void *in, size_t n);

/* Append to the job's result. It is the value of the future where the job has no out_bytes; in a
 * map nobody gets it.
 *
 *   task      the running task.
 *   bytes     what to append, copied. May be NULL when n is 0.
 *   n         how many.
 *   Blocks    no.
 *   From      the task that runs the job.
 *   Errors    -ENOMEM  no memory. The job then ends as lost, for want of memory, whatever it
 *                      returns.
 *             -EINVAL  outside of a job, or bytes is NULL.
 *   Fork      not usable in the child of a job.
 *   Since     0.1
 */
PLAIT_API int plait_task_write(plait_task *task, const void *bytes, size_t n);

/* Say why the job fails: it ends as an error, whatever it returns, and plait_future_message says
 * why. Said again, the last text counts.
 *
 *   task      the running task.
 *   text      the reason, copied.
 *   Returns   never 0, so that a function can end by `return plait_task_fail(task, "…")`.
 *   Blocks    no.
 *   From      the task that runs the job.
 *   Errors    -ECANCELED  said.
 *             -ENOMEM     no memory for the text. The job is an error nevertheless.
 *             -EINVAL     outside of a job, or text is NULL.
 *   Fork      not usable in the child of a job.
 *   Since     0.1
 */
PLAIT_API int plait_task_fail(plait_task *task, const char *text);

/* Say how far the job is. plait_pool_stats adds up what the running jobs said last, and the bar of
 * `plait map --so` shows it.
 *
 *   task      the running task.
 *   done      how much is done …
 *   total     … of how much.
 *   Blocks    no; cheap enough for each step.
 *   From      the task that runs the job.
 *   Errors    -EINVAL  outside of a job.
 *   Fork      not usable in the child of a job.
 *   Since     0.1
 */
PLAIT_API int plait_task_progress(plait_task *task, uint64_t done, uint64_t total);

/* Was the job asked to end, by plait_future_cancel or by the end of its pool, or has its soft limit
 * passed? Then it should return soon: with -ECANCELED, if it has no value.
 *
 *   task      the running task.
 *   Returns   true if so; false outside of a job.
 *   Blocks    no.
 *   From      the task that runs the job.
 *   Errors    none.
 *   Fork      not usable in the child of a job.
 *   Since     0.1
 */
PLAIT_API bool plait_task_cancelled(plait_task *task);

PLAIT_END

#endif
