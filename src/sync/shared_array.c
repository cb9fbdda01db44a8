/* Arrays with a lock.
 * SPDX-License-Identifier: MIT
 */
#include <plait/shared_array.h>

#include <plait/shared.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

struct plait_shared_array {
    plait_rlock lock;
    size_t count, item_bytes;                  /* const after create */
    char items[] __attribute__((aligned(16))); /* lock */
};

int plait_shared_array_create(plait_shared_array **ret, size_t count, size_t item_bytes)
{
    plait_shared_array *array;

    if (ret == NULL || item_bytes == 0)
        return -EINVAL;
    if (count > (SIZE_MAX - sizeof *array) / item_bytes)
        return -ENOMEM;
    array = plait_shared_alloc(sizeof *array + count * item_bytes);
    if (array == NULL)
        return -ENOMEM;
    array->count = count;
    array->item_bytes = item_bytes;
    *ret = array;
    return 0;
}

void plait_shared_array_destroy(plait_shared_array *array)
{
    plait_shared_free(array);
}

/* May so many items be copied from or to that place? Then takes the lock. */
static int begin(plait_shared_array *array, size_t first, size_t n, const void *items,
                 plait_deadline until)
{
    if (array == NULL || (items == NULL && n > 0))
        return -EINVAL;
    if (first > array->count || n > array->count - first)
        return -ERANGE;
    return plait_rlock_acquire(&array->lock, until);
}

int plait_shared_array_get(plait_shared_array *array, size_t first, size_t n, void *ret_items,
                           plait_deadline until)
{
    int rc = begin(array, first, n, ret_items, until);

    if (rc < 0)
        return rc;
    if (n > 0)
        memcpy(ret_items, array->items + first * array->item_bytes, n * array->item_bytes);
    return plait_rlock_release(&array->lock);
}

int plait_shared_array_set(plait_shared_array *array, size_t first, size_t n, const void *items,
                           plait_deadline until)
{
    int rc = begin(array, first, n, items, until);

    if (rc < 0)
        return rc;
    if (n > 0)
        memcpy(array->items + first * array->item_bytes, items, n * array->item_bytes);
    return plait_rlock_release(&array->lock);
}

size_t plait_shared_array_count(const plait_shared_array *array)
{
    return array == NULL ? 0 : array->count;
}

size_t plait_shared_array_item_bytes(const plait_shared_array *array)
{
    return array == NULL ? 0 : array->item_bytes;
}

void *plait_shared_array_items(plait_shared_array *array)
{
    return array == NULL ? NULL : array->items;
}

plait_rlock *plait_shared_array_lock(plait_shared_array *array)
{
    return array == NULL ? NULL : &array->lock;
}
