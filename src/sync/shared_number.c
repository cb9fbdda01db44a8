/* Numbers that many tasks change.
 * SPDX-License-Identifier: MIT
 *
 * All is seq_cst: that is what the header promises.
 */
#include <plait/shared_number.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(double) == sizeof(uint64_t), "the bits of a double are one word");

int64_t plait_shared_int64_get(const plait_shared_int64 *number)
{
    return number == NULL ? 0 : __atomic_load_n(&number->value, __ATOMIC_SEQ_CST);
}

int plait_shared_int64_set(plait_shared_int64 *number, int64_t to)
{
    if (number == NULL)
        return -EINVAL;
    __atomic_store_n(&number->value, to, __ATOMIC_SEQ_CST);
    return 0;
}

int64_t plait_shared_int64_add(plait_shared_int64 *number, int64_t by)
{
    return number == NULL ? 0 : __atomic_add_fetch(&number->value, by, __ATOMIC_SEQ_CST);
}

bool plait_shared_int64_compare_exchange(plait_shared_int64 *number, int64_t *expected, int64_t to)
{
    if (number == NULL || expected == NULL)
        return false;
    return __atomic_compare_exchange_n(&number->value, expected, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double value_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

double plait_shared_double_get(const plait_shared_double *number)
{
    return number == NULL ? 0 : value_of(__atomic_load_n(&number->bits, __ATOMIC_SEQ_CST));
}

int plait_shared_double_set(plait_shared_double *number, double to)
{
    if (number == NULL)
        return -EINVAL;
    __atomic_store_n(&number->bits, bits_of(to), __ATOMIC_SEQ_CST);
    return 0;
}

double plait_shared_double_add(plait_shared_double *number, double by)
{
    uint64_t before, after;

    if (number == NULL)
        return 0;
    before = __atomic_load_n(&number->bits, __ATOMIC_SEQ_CST);
    do
        after = bits_of(value_of(before) + by);
    while (!__atomic_compare_exchange_n(&number->bits, &before, after, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST));
    return value_of(after);
}

bool plait_shared_double_compare_exchange(plait_shared_double *number, double *expected, double to)
{
    uint64_t bits;

    if (number == NULL || expected == NULL)
        return false;
    bits = bits_of(*expected);
    if (__atomic_compare_exchange_n(&number->bits, &bits, bits_of(to), false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        return true;
    *expected = value_of(bits);
    return false;
}
