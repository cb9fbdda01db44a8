/* Numbers that many tasks change.
 * SPDX-License-Identifier: MIT
 *
 *     struct counts {
 *         plait_shared_int64 done;
 *         plait_shared_double seconds;
 *     } *counts = plait_shared_alloc(sizeof *counts); // zero bytes: 0 and 0.0
 *     ...
 *     plait_shared_int64_add(&counts->done, 1);       // in any process; none is lost
 *     plait_shared_double_add(&counts->seconds, 0.25);
 *     ...
 *     printf("%lld\n", (long long)plait_shared_int64_get(&counts->done));
 *
 * Python's Value, where `value += 1` loses what another process adds meanwhile: here each call is
 * one step that is done or not, whoever else calls and whoever is killed. There is no lock, nothing
 * to wait for and nothing to repair. The numbers may lie in any memory, private or shared, also in
 * such as the program shares by itself. All calls on all numbers happen in one order that all tasks
 * agree on; and who sees the number that a call has left sees also what its caller wrote before.
 *
 * For several numbers that belong together take a plait_lock beside them, or plait_shared_array.
 */
#ifndef PLAIT_SHARED_NUMBER_H
#define PLAIT_SHARED_NUMBER_H

#include <plait/export.h>

#include <stdbool.h>
#include <stdint.h>

PLAIT_BEGIN

/* An integer; 8 bytes, its field is plait's own. To begin with a value: {5}. */
typedef struct plait_shared_int64 {
    int64_t value __attribute__((aligned(8)));
} plait_shared_int64;

/* A floating point number; 8 bytes, its field is plait's own. */
typedef struct plait_shared_double {
    uint64_t bits __attribute__((aligned(8)));
} plait_shared_double;

/* The value of an integer.
 *
 *   number    the integer.
 *   Returns   its value; 0 when number is NULL.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int64_t plait_shared_int64_get(const plait_shared_int64 *number);

/* Set an integer.
 *
 *   number    the integer.
 *   to        its new value.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    -EINVAL  number is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_shared_int64_set(plait_shared_int64 *number, int64_t to);

/* Add to an integer. Past the largest value comes the smallest one.
 *
 *   number    the integer.
 *   by        what to add; may be negative.
 *   Returns   the value that it has now by this call; 0 when number is NULL.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int64_t plait_shared_int64_add(plait_shared_int64 *number, int64_t by);

/* Set an integer if it still has a value.
 *
 *   number    the integer.
 *   expected  that value; gets the one that it has if it is another.
 *   to        its new value.
 *   Returns   true: it was set. False: it was not; or number or expected is NULL.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_shared_int64_compare_exchange(plait_shared_int64 *number, int64_t *expected,
                                                   int64_t to);

/* The value of a floating point number.
 *
 *   number    the number.
 *   Returns   its value; 0 when number is NULL.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API double plait_shared_double_get(const plait_shared_double *number);

/* Set a floating point number.
 *
 *   number    the number.
 *   to        its new value.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    -EINVAL  number is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_shared_double_set(plait_shared_double *number, double to);

/* Add to a floating point number.
 *
 *   number    the number.
 *   by        what to add; may be negative.
 *   Returns   the value that it has now by this call; 0 when number is NULL.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API double plait_shared_double_add(plait_shared_double *number, double by);

/* Set a floating point number if it still has a value. Values are the same when their bits are: 0
 * is not -0, and a NaN is itself.
 *
 *   number    the number.
 *   expected  that value; gets the one that it has if it is another.
 *   to        its new value.
 *   Returns   true: it was set. False: it was not; or number or expected is NULL.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_shared_double_compare_exchange(plait_shared_double *number, double *expected,
                                                    double to);

PLAIT_END

#endif
