/* Arrays with a lock, shared by the processes of a family.
 * SPDX-License-Identifier: MIT
 *
 *     plait_shared_array *array = NULL;
 *     int rc = plait_shared_array_create(&array, 1000, sizeof(double)); // all zero
 *     ...
 *     double next = 0.5, row[10];
 *     rc = plait_shared_array_set(array, 7, 1, &next, PLAIT_FOREVER);  // one item, from 7 on
 *     rc = plait_shared_array_get(array, 0, 10, row, PLAIT_FOREVER);   // ten items, from 0 on
 *     ...
 *     plait_rlock *lock = plait_shared_array_lock(array);
 *     rc = plait_rlock_acquire(lock, PLAIT_FOREVER);                   // more than one step
 *     if (rc == 0) {
 *         double *items = plait_shared_array_items(array);
 *         items[3] += items[4];
 *         plait_rlock_release(lock);
 *     }
 *     plait_shared_array_destroy(array);
 *
 * Python's Array, and with one item its Value: get and set copy with the lock held, so that nobody
 * sees half of a set; plait_shared_array_lock is get_lock, plait_shared_array_items is get_obj, and
 * used without the lock it is RawArray. Items are plain bytes of one size: a number or a struct
 * without pointers into private memory. A number alone is faster as a plait_shared_int64.
 *
 * The array lies in the heap of the family: the handle and the address of its items are the same in
 * all its processes. When a process is killed that held the lock, within get or set too, the items
 * may be half changed: get and set say -EOWNERDEAD until somebody has recovered the lock, put the
 * items in order, and said plait_rlock_repaired.
 */
#ifndef PLAIT_SHARED_ARRAY_H
#define PLAIT_SHARED_ARRAY_H

#include <plait/export.h>
#include <plait/lock.h>
#include <plait/time.h>

#include <stddef.h>

PLAIT_BEGIN

/* An array; opaque. */
typedef struct plait_shared_array plait_shared_array;

/* Make an array; all its bytes are zero.
 *
 *   ret         gets the handle; untouched on failure. Destroyed by plait_shared_array_destroy.
 *   count       how many items; may be 0.
 *   item_bytes  the size of each, at least 1.
 *   Blocks    no.
 *   From      any task. Tasks of other processes can use it when they were forked after the first
 *             shared object of the program was made.
 *   Errors    -EINVAL  ret is NULL, or item_bytes is 0.
 *             -ENOMEM  no memory, or the family has 4095 living processes already.
 *   Fork      usable in the child, and so is the array.
 *   Since     0.1
 */
PLAIT_API int plait_shared_array_create(plait_shared_array **ret, size_t count, size_t item_bytes);

/* Free an array. Nobody may use it any more, in any process.
 *
 *   array     the array; NULL is fine.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child: the array is gone for all.
 *   Since     0.1
 */
PLAIT_API void plait_shared_array_destroy(plait_shared_array *array);

/* Copy items out of the array, with its lock held.
 *
 *   array      the array.
 *   first      the first of the items, counted from 0.
 *   n          how many.
 *   ret_items  gets them; may be NULL when n is 0; untouched on failure.
 *   until      how long to wait.
 *   Blocks    while another task has the lock, until the deadline. A cancellation point.
 *   From      any task; any process of the family. Also with the lock held.
 *   Errors    -ERANGE      some of these items are behind the last one.
 *             -EINVAL      array is NULL, or ret_items is.
 *             -EOWNERDEAD  a holder of the lock was killed, and nobody has said that the items are
 *                          in order again.
 *             -ETIMEDOUT, -ECANCELED, -EOVERFLOW, -ENOMEM, -EUSERS  as plait_rlock_acquire.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_shared_array_get(plait_shared_array *array, size_t first, size_t n,
                                     void *ret_items, plait_deadline until);

/* Copy items into the array, with its lock held.
 *
 *   array     the array.
 *   first     the first of the items, counted from 0.
 *   n         how many.
 *   items     what they shall be; may be NULL when n is 0.
 *   until     how long to wait.
 *   Blocks    while another task has the lock, until the deadline. A cancellation point.
 *   From      any task; any process of the family. Also with the lock held.
 *   Errors    In each case nothing changed.
 *             -ERANGE      some of these items are behind the last one.
 *             -EINVAL      array is NULL, or items is.
 *             -EOWNERDEAD  a holder of the lock was killed, and nobody has said that the items are
 *                          in order again.
 *             -ETIMEDOUT, -ECANCELED, -EOVERFLOW, -ENOMEM, -EUSERS  as plait_rlock_acquire.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_shared_array_set(plait_shared_array *array, size_t first, size_t n,
                                     const void *items, plait_deadline until);

/* How many items an array has.
 *
 *   array     the array; NULL has none.
 *   Returns   how many.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API size_t plait_shared_array_count(const plait_shared_array *array);

/* The size of an item.
 *
 *   array     the array.
 *   Returns   its size in bytes; 0 when array is NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API size_t plait_shared_array_item_bytes(const plait_shared_array *array);

/* The items themselves, to be used with the lock held; or without it by those who know of each
 * other by other means.
 *
 *   array     the array.
 *   Returns   the first item, aligned to 16 bytes; NULL when array is NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API void *plait_shared_array_items(plait_shared_array *array);

/* The lock of an array.
 *
 *   array     the array.
 *   Returns   its lock, a recursive one; NULL when array is NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API plait_rlock *plait_shared_array_lock(plait_shared_array *array);

PLAIT_END

#endif
