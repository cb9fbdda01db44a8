/* What a queue between two processes could reach: it spins, and nobody may die. bench/scenarios.md
 * has the layout of each.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>

enum {
    RING_BYTES = 1 << 20,
    RING_LARGEST = 4096, /* larger ones go through the slots */
    ALIGN = 16,
    MOST_SLOTS = 8,
    SLOTS_BYTES = 2 << 20 /* of the messages in all of them: what a cache may hold */
};

/* A ring of records: the size in 8 bytes, the message, rounded up to 16. A size of 0: go on at the
 * start. Positions count on for ever. */
struct ring {
    uint64_t tail __attribute__((aligned(BENCH_LINE))); /* atomic: sender */
    uint64_t head_seen;                                 /* sender */
    uint64_t head __attribute__((aligned(BENCH_LINE))); /* atomic: receiver */
    uint64_t tail_seen;                                 /* receiver */
    char data[RING_BYTES] __attribute__((aligned(BENCH_LINE)));
};

/* A place for one message, and who may touch it. */
struct slot {
    uint32_t is_full __attribute__((aligned(BENCH_LINE))); /* atomic */
    char bytes[TRAFFIC_MOST] __attribute__((aligned(BENCH_LINE)));
};

struct channel {
    struct ring ring;
    struct slot slots[MOST_SLOTS];
};

static struct channel *channels;
static unsigned puts_done[2], gets_done[2]; /* of this process; per channel */

static int traffic_make(void)
{
    if (traffic.senders != 1)
        return -ENOTSUP;
    channels = (struct channel *)bench_shared(2 * sizeof *channels);
    return channels != NULL ? 0 : -ENOMEM;
}

static int traffic_enter(unsigned number)
{
    (void)number;
    return 0;
}

/* ---- small: the ring ---- */

static uint64_t record_bytes(uint64_t n)
{
    return (n + sizeof(uint64_t) + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

static void wait_for_room(struct ring *ring, uint64_t tail, uint64_t bytes)
{
    while (tail + bytes - ring->head_seen > RING_BYTES) {
        ring->head_seen = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        plait__os_cpu_relax();
    }
}

static void ring_put(struct ring *ring, const void *bytes, uint64_t n)
{
    uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED), need = record_bytes(n);
    uint64_t left = RING_BYTES - tail % RING_BYTES, none = 0;

    if (left < need) {
        wait_for_room(ring, tail, left + need);
        memcpy(ring->data + tail % RING_BYTES, &none, sizeof none);
        tail += left;
    } else {
        wait_for_room(ring, tail, need);
    }
    memcpy(ring->data + tail % RING_BYTES, &n, sizeof n);
    memcpy(ring->data + tail % RING_BYTES + sizeof n, bytes, n);
    __atomic_store_n(&ring->tail, tail + need, __ATOMIC_RELEASE);
}

static uint64_t next_size(struct ring *ring, uint64_t head)
{
    uint64_t n;

    while (head == ring->tail_seen) {
        ring->tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (head == ring->tail_seen)
            plait__os_cpu_relax();
    }
    memcpy(&n, ring->data + head % RING_BYTES, sizeof n);
    return n;
}

static ssize_t ring_get(struct ring *ring, void *buf, size_t cap)
{
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED), n = next_size(ring, head);

    if (n == 0) {
        head += RING_BYTES - head % RING_BYTES;
        n = next_size(ring, head);
    }
    if (n > cap)
        return -EMSGSIZE;
    memcpy(buf, ring->data + head % RING_BYTES + sizeof n, n);
    __atomic_store_n(&ring->head, head + record_bytes(n), __ATOMIC_RELEASE);
    return (ssize_t)n;
}

/* ---- large: slots, handed over in turn ---- */

static unsigned slots(void)
{
    return SLOTS_BYTES / traffic.size < MOST_SLOTS ? SLOTS_BYTES / traffic.size : MOST_SLOTS;
}

static void await(const uint32_t *word, uint32_t wanted)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != wanted)
        plait__os_cpu_relax();
}

static void slot_put(struct slot *slot, const void *bytes, size_t n)
{
    await(&slot->is_full, 0);
    memcpy(slot->bytes, bytes, n);
    __atomic_store_n(&slot->is_full, 1, __ATOMIC_RELEASE);
}

static void slot_get(struct slot *slot, void *buf, size_t n)
{
    await(&slot->is_full, 1);
    memcpy(buf, slot->bytes, n);
    __atomic_store_n(&slot->is_full, 0, __ATOMIC_RELEASE);
}

/* ---- to and fro, asleep: one slot, and two futex wakes a round ---- */

static void sleep_while(uint32_t *word, uint32_t value)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
        syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

/* In turns, so the slot is empty. */
static void slot_put_and_wake(struct slot *slot, const void *bytes, size_t n)
{
    memcpy(slot->bytes, bytes, n);
    __atomic_store_n(&slot->is_full, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &slot->is_full, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void slot_get_asleep(struct slot *slot, void *buf, size_t n)
{
    sleep_while(&slot->is_full, 0);
    memcpy(buf, slot->bytes, n);
    __atomic_store_n(&slot->is_full, 0, __ATOMIC_RELEASE);
}

/* ---- */

static bool sleeps(void)
{
    return traffic.is_round_trip && strcmp(traffic.scenario, "queue/round-trip") != 0;
}

static int traffic_put(unsigned channel, const void *bytes, size_t n)
{
    struct channel *at = &channels[channel];

    if (sleeps())
        slot_put_and_wake(&at->slots[0], bytes, n);
    else if (traffic.is_round_trip)
        slot_put(&at->slots[0], bytes, n);
    else if (n > RING_LARGEST)
        slot_put(&at->slots[puts_done[channel]++ % slots()], bytes, n);
    else
        ring_put(&at->ring, bytes, n);
    return 0;
}

static ssize_t traffic_get(unsigned channel, void *buf, size_t cap)
{
    struct channel *at = &channels[channel];

    if (!traffic.is_round_trip && cap <= RING_LARGEST)
        return ring_get(&at->ring, buf, cap);
    if (sleeps())
        slot_get_asleep(&at->slots[0], buf, cap);
    else if (traffic.is_round_trip)
        slot_get(&at->slots[0], buf, cap);
    else
        slot_get(&at->slots[gets_done[channel]++ % slots()], buf, cap);
    return (ssize_t)cap;
}

int main(int argc, char **argv)
{
    return traffic_main(argc, argv);
}
