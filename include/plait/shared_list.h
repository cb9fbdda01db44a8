/* Lists of a fixed length in shared memory, of none, bools, numbers, texts and bytes.
 * SPDX-License-Identifier: MIT
 *
 *     plait_shared_value row[] = {
 *         plait_shared_value_str("waiting"),
 *         plait_shared_value_int64(0),
 *         plait_shared_value_none(),
 *     };
 *     plait_shared_list *list = NULL;
 *     int rc = plait_shared_list_create(&list, row, 3);
 *     ...
 *     plait_shared_value value = plait_shared_value_str("busy");
 *     rc = plait_shared_list_set(list, 0, &value, PLAIT_FOREVER);
 *     ...
 *     char text[100];
 *     rc = plait_shared_list_get(list, 0, &value, text, sizeof text);
 *     if (rc == 0 && value.type == PLAIT_SHARED_STR)
 *         puts(value.bytes);
 *     plait_shared_list_destroy(list);
 *
 * Python's ShareableList: as many slots as there are values at first, and each can hold a value of
 * any type that fits into it. What fits, its first value says: one that needs no bytes of its own
 * makes room for 8, a text or bytes of n for n and 1 to 8 more, up to a multiple of 8. Unlike
 * Python's it keeps zero bytes at the end, and counts bytes and not characters.
 *
 * Who gets never waits, and never sees a part of a value: each slot has room for two, a set writes
 * into the one that is not the current one and then makes it that with one store; who read
 * meanwhile looks again if its value is about to be overwritten. Those who set take turns by a
 * lock. A process that is killed in the middle of a set has set the slot or not, and holds up
 * nobody; there is nothing to repair.
 *
 * The list holds no pointers. plait_shared_list_create puts it into the heap of the family;
 * plait_shared_list_init into any memory, where the processes that map it, at whatever address, use
 * that address as the handle. In memory that the program shares by itself (mmap, shm_open) all can
 * get, but setting is for one process: another one is refused while that is setting.
 */
#ifndef PLAIT_SHARED_LIST_H
#define PLAIT_SHARED_LIST_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

PLAIT_BEGIN

/* A list; opaque. */
typedef struct plait_shared_list plait_shared_list;

/* What a value is. */
typedef enum plait_shared_type {
    PLAIT_SHARED_NONE,
    PLAIT_SHARED_BOOL,   /* boolean */
    PLAIT_SHARED_INT64,  /* integer */
    PLAIT_SHARED_DOUBLE, /* real */
    PLAIT_SHARED_STR,  /* bytes, size; got with a zero byte behind it, which size does not count */
    PLAIT_SHARED_BYTES /* bytes, size */
} plait_shared_type;

/* A value; of the fields that do not belong to its type nothing is said. */
typedef struct plait_shared_value {
    plait_shared_type type;
    bool boolean;
    int64_t integer;
    double real;
    const void *bytes;
    size_t size;
} plait_shared_value;

/* No value: Python's None.
 *
 *   Returns   it.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline plait_shared_value plait_shared_value_none(void)
{
    plait_shared_value value = { PLAIT_SHARED_NONE, false, 0, 0, NULL, 0 };

    return value;
}

/* A bool as a value.
 *
 *   boolean   the bool.
 *   Returns   the value.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline plait_shared_value plait_shared_value_bool(bool boolean)
{
    plait_shared_value value = plait_shared_value_none();

    value.type = PLAIT_SHARED_BOOL;
    value.boolean = boolean;
    return value;
}

/* An integer as a value.
 *
 *   integer   the integer.
 *   Returns   the value.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline plait_shared_value plait_shared_value_int64(int64_t integer)
{
    plait_shared_value value = plait_shared_value_none();

    value.type = PLAIT_SHARED_INT64;
    value.integer = integer;
    return value;
}

/* A floating point number as a value.
 *
 *   real      the number.
 *   Returns   the value.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline plait_shared_value plait_shared_value_double(double real)
{
    plait_shared_value value = plait_shared_value_none();

    value.type = PLAIT_SHARED_DOUBLE;
    value.real = real;
    return value;
}

/* A text as a value.
 *
 *   text      the text; not copied: it must be there as long as the value is used. Not NULL.
 *   Returns   the value.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline plait_shared_value plait_shared_value_str(const char *text)
{
    plait_shared_value value = plait_shared_value_none();

    value.type = PLAIT_SHARED_STR;
    value.bytes = text;
    value.size = strlen(text);
    return value;
}

/* Bytes as a value.
 *
 *   bytes     the bytes; not copied: they must be there as long as the value is used.
 *   n         how many.
 *   Returns   the value.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline plait_shared_value plait_shared_value_bytes(const void *bytes, size_t n)
{
    plait_shared_value value = plait_shared_value_none();

    value.type = PLAIT_SHARED_BYTES;
    value.bytes = bytes;
    value.size = n;
    return value;
}

/* Make a list in the heap of the family.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_shared_list_destroy.
 *   values    the first value of each slot; may be NULL when count is 0.
 *   count     how many slots.
 *   Blocks    no.
 *   From      any task. Tasks of other processes can use it when they were forked after the first
 *             shared object of the program was made.
 *   Errors    -EINVAL  ret is NULL, or values is, or one of them is of no type, or has NULL for its
 *                      bytes.
 *             -ENOMEM  no memory, or the family has 4095 living processes already.
 *   Fork      usable in the child, and so is the list.
 *   Since     0.1
 */
PLAIT_API int plait_shared_list_create(plait_shared_list **ret, const plait_shared_value *values,
                                       size_t count);

/* Free a list that plait_shared_list_create has made. Nobody may use it any more, in any process.
 *
 *   list      the list; NULL is fine.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child: the list is gone for all.
 *   Since     0.1
 */
PLAIT_API void plait_shared_list_destroy(plait_shared_list *list);

/* How much memory plait_shared_list_init needs for such a list.
 *
 *   values    the first value of each slot; may be NULL when count is 0.
 *   count     how many slots.
 *   ret       gets the number of bytes; untouched on failure.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret is NULL; or as in plait_shared_list_create.
 *             -ENOMEM  more than there are addresses.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_shared_list_bytes(const plait_shared_value *values, size_t count, size_t *ret);

/* Make a list in the caller's memory. It is gone when the memory is; it is not destroyed.
 *
 *   memory    where it goes, aligned to 8 bytes. Other processes that map it use its address, in
 *             their memory, as their handle, as soon as this call has returned.
 *   bytes     how much there is.
 *   values    the first value of each slot; may be NULL when count is 0.
 *   count     how many slots.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -ENOSPC  bytes is less than plait_shared_list_bytes says.
 *             -EINVAL  memory is NULL or not aligned; or as in plait_shared_list_create.
 *             -ENOMEM  as in plait_shared_list_bytes.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_shared_list_init(void *memory, size_t bytes, const plait_shared_value *values,
                                     size_t count);

/* The value of a slot.
 *
 *   list      the list.
 *   index     which slot, counted from 0.
 *   ret       gets the value; of a text or bytes, `bytes` is then buf. Untouched on failure.
 *   buf       gets the bytes of a text or bytes; may be NULL when cap is 0.
 *   cap       room in buf; a text needs one byte more than its size.
 *   Blocks    no, whoever sets, is stopped or killed.
 *   From      any task; any process that maps the list.
 *   Errors    -ERANGE    there is no such slot.
 *             -EMSGSIZE  the value needs more room than cap; one byte more than
 *                        plait_shared_list_room says is always enough.
 *             -EINVAL    list or ret is NULL, or buf is.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_shared_list_get(const plait_shared_list *list, size_t index,
                                    plait_shared_value *ret, void *buf, size_t cap);

/* Set a slot, to a value of the type that it has or of another one.
 *
 *   list      the list.
 *   index     which slot, counted from 0.
 *   value     its new value; its bytes are copied.
 *   until     how long to wait.
 *   Blocks    while another task sets a slot, until the deadline; for 100 ms whatever the deadline.
 *             A cancellation point.
 *   From      any task; any process of the family.
 *   Errors    In each case nothing changed.
 *             -ERANGE     there is no such slot.
 *             -EMSGSIZE   the value does not fit into the slot.
 *             -EINVAL     list or value is NULL, or it is of no type, or has NULL for its bytes.
 *             -ETIMEDOUT  another task was setting until the deadline.
 *             -EDEADLK    another process is setting, or was when it was killed, and the list lies
 *                         in memory that the program shares by itself.
 *             -ECANCELED  the caller was asked to end.
 *             -ENOMEM, -EUSERS  this process cannot join the family.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_shared_list_set(plait_shared_list *list, size_t index,
                                    const plait_shared_value *value, plait_deadline until);

/* How many slots a list has.
 *
 *   list      the list; NULL has none.
 *   Returns   how many.
 *   Blocks    no.
 *   From      any task; any process that maps the list.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API size_t plait_shared_list_count(const plait_shared_list *list);

/* How long a text, or how many bytes, a slot can hold.
 *
 *   list      the list.
 *   index     which slot, counted from 0.
 *   Returns   the bytes; at least 8. 0: list is NULL, or there is no such slot.
 *   Blocks    no.
 *   From      any task; any process that maps the list.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API size_t plait_shared_list_room(const plait_shared_list *list, size_t index);

PLAIT_END

#endif
