/* The named segments that this process has mapped.
 * SPDX-License-Identifier: MIT
 *
 * A range is one word, so that it is read whole without a lock: the number of its first page, 36
 * bits, and how many there are, 28 bits. Pages are of 4 KiB here, whatever the machine's are.
 */
#include "family/attached.h"
#include "family/self.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/futex.h"
#include "os/record_lock.h"

#include <errno.h>
#include <string.h>

enum {
    PAGE_SHIFT = 12,
    COUNT_BITS = 28,
    SPINS = 200
};

static struct plait_segment table[PLAIT__SEGMENTS];
uint32_t plait__attached_most;

static uint64_t pack(const struct plait_segment *segment)
{
    uint64_t first = (uint64_t)(uintptr_t)segment->base >> PAGE_SHIFT;

    return first << COUNT_BITS | segment->shape.total >> PAGE_SHIFT;
}

static bool is_in(uint64_t range, uint64_t page)
{
    uint64_t first = range >> COUNT_BITS, count = range & ((1U << COUNT_BITS) - 1);

    return page - first < count;
}

struct plait_segment *plait__attached_at(const void *address)
{
    uint64_t page = (uint64_t)(uintptr_t)address >> PAGE_SHIFT;
    /* both acquire what add has released: of a segment whose address somebody has, they see it */
    uint32_t most = __atomic_load_n(&plait__attached_most, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < most; i++)
        if (is_in(__atomic_load_n(&table[i].range, __ATOMIC_ACQUIRE), page))
            return &table[i];
    return NULL;
}

bool plait__attached_is_dead(const struct plait_segment *segment, uint32_t id)
{
    /* the program may have closed it, and opened something else under its number */
    return plait__os_file_is(segment->fd, &segment->id) &&
           plait__os_byte_is_free(segment->fd, PLAIT__BYTE_OF_ID + (int64_t)id);
}

/* ---- the lock ---- */

bool plait__attached_try_lock(void)
{
    return __atomic_exchange_n(&plait__myself()->segments_lock, 1, __ATOMIC_ACQUIRE) == 0;
}

void plait__attached_lock(void)
{
    for (unsigned round = 0; !plait__attached_try_lock(); round++) {
        if (round < SPINS)
            plait__os_cpu_relax();
        else /* another thread makes a large one: nobody wakes us, but the CPU is left to others */
            plait__os_futex_wait(&plait__myself()->segments_lock, 1,
                                 plait__os_now_ns() + 1000 * 1000);
    }
}

void plait__attached_unlock(void)
{
    __atomic_store_n(&plait__myself()->segments_lock, 0, __ATOMIC_RELEASE);
}

/* ---- the table ---- */

static bool is_used(const struct plait_segment *segment)
{
    return __atomic_load_n(&segment->range, __ATOMIC_RELAXED) != 0;
}

/* A descriptor that the program has closed is not ours to lock. */
static bool is_open(const struct plait_segment *segment)
{
    return is_used(segment) && plait__os_file_is(segment->fd, &segment->id);
}

int plait__attached_take_bytes(uint32_t id)
{
    int64_t byte = PLAIT__BYTE_OF_ID + (int64_t)id;
    int rc = 0;

    for (uint32_t i = 0; i < plait__attached_most && rc == 0; i++)
        if (is_open(&table[i]))
            rc = plait__os_byte_lock(table[i].fd, byte);
    for (uint32_t i = 0; i < plait__attached_most && rc < 0; i++)
        if (is_open(&table[i]))
            plait__os_byte_unlock(table[i].fd, byte);
    return rc == -EAGAIN ? -EBUSY : rc;
}

struct plait_segment *plait__attached_find(const struct plait__file_id *id)
{
    for (uint32_t i = 0; i < plait__attached_most; i++)
        if (is_used(&table[i]) && table[i].id.device == id->device &&
            table[i].id.inode == id->inode)
            return &table[i];
    return NULL;
}

struct plait_segment *plait__attached_find_name(const char *name)
{
    for (uint32_t i = 0; i < plait__attached_most; i++)
        if (is_used(&table[i]) && table[i].path == NULL && strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static struct plait_segment *find_free(void)
{
    for (uint32_t i = 0; i < PLAIT__SEGMENTS; i++)
        if (!is_used(&table[i]))
            return &table[i];
    return NULL;
}

bool plait__attached_is_full(void)
{
    return find_free() == NULL;
}

bool plait__attached_fits(const struct plait_segment *segment)
{
    return (uint64_t)(uintptr_t)segment->base >> (64 - COUNT_BITS + PAGE_SHIFT) == 0 &&
           segment->shape.total >> PAGE_SHIFT >> COUNT_BITS == 0;
}

struct plait_segment *plait__attached_add(const struct plait_segment *segment)
{
    struct plait_segment *entry = find_free();
    uint32_t index = (uint32_t)(entry - table);

    /* field by field: others may look at the range meanwhile */
    entry->base = segment->base;
    entry->shape = segment->shape;
    entry->fd = segment->fd;
    entry->id = segment->id;
    entry->name = segment->name;
    entry->path = segment->path;
    entry->refs = 1;
    __atomic_store_n(&entry->range, pack(segment), __ATOMIC_RELEASE);
    if (index >= plait__attached_most)
        __atomic_store_n(&plait__attached_most, index + 1, __ATOMIC_RELEASE);
    return entry;
}

void plait__attached_remove(struct plait_segment *segment)
{
    __atomic_store_n(&segment->range, 0, __ATOMIC_RELEASE);
}

void plait__attached_forget(void)
{
    for (uint32_t i = 0; i < plait__attached_most; i++) {
        if (is_used(&table[i])) {
            plait__attached_remove(&table[i]);
            plait__os_file_unmap(table[i].base, table[i].shape.total);
        }
    }
}

bool plait__attached_is_valid(const struct plait_segment *segment)
{
    uintptr_t at = (uintptr_t)segment - (uintptr_t)table; /* whatever the caller has there */

    return at < sizeof table && at % sizeof *table == 0 && is_used(segment);
}
