/* Fuzzer: a queue in a segment, into which anything is written between the calls on it.
 * SPDX-License-Identifier: MIT
 *
 * The input is steps of 12 bytes: a call, how to write, which word, a value.
 */
#include <plait/segment_queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STEP = 12,
    MOST_STEPS = 16, /* each may wait for a lock that somebody is said to have */
    MOST = 2000
};

static const plait_queue_opts opts = { .max_bytes = 1024, .max_leases = 4, .lanes = 2 };
static plait_queue *queue;
static char *block, *scene;
static size_t block_bytes;
static char buf[MOST];

static void need(bool is_so)
{
    if (!is_so)
        abort();
}

/* Two leased, one borrowed, one given back, some there, one reserved. */
static void set_scene(void)
{
    static const size_t sizes[] = { 0, 250, 20, 220, 30, 40 };
    plait_lease leases[3];
    const void *place = NULL;
    void *room = NULL;

    for (size_t i = 0; i < 6; i++)
        need(plait_queue_put(queue, buf, sizes[i], PLAIT_NOWAIT) == 0);
    need(plait_queue_borrow(queue, &place, PLAIT_NOWAIT) >= 0);
    for (int i = 0; i < 3; i++)
        need(plait_queue_lease(queue, &leases[i], PLAIT_NOWAIT) == 0);
    need(plait_queue_nack(&leases[2]) == 0);
    need(plait_queue_reserve(queue, &room, 20, PLAIT_NOWAIT) == 0);
    need(plait_queue_put(queue, buf, 10, PLAIT_NOWAIT) == 0);
}

static void make_once(void)
{
    plait_segment_opts segment_opts = { .only_new = true };
    plait_segment *segment = NULL;
    void *made = NULL;
    char name[32];

    need(plait_queue_bytes(&opts, &block_bytes) == 0);
    block_bytes = (block_bytes + 63) / 64 * 64;
    segment_opts.bytes = block_bytes;
    snprintf(name, sizeof name, "fuzz-queue-%d", (int)getpid());
    need(plait_segment_open(&segment, name, &segment_opts, PLAIT_FOREVER) == 0);
    need(plait_segment_get(segment, &made, "queue", block_bytes, PLAIT_FOREVER) == 0);
    block = made;
    need(plait_queue_attach(&queue, block, block_bytes, &opts) == 0);
    set_scene();
    scene = malloc(block_bytes);
    need(scene != NULL);
    memcpy(scene, block, block_bytes);
}

/* Lies in the queue; reads or writes it. */
static void touch(const void *at, ssize_t n, bool writes)
{
    const char *bytes = at;

    need(bytes >= block && n >= 0 && (size_t)n <= block_bytes &&
         (size_t)(bytes - block) <= block_bytes - (size_t)n);
    if (writes)
        memset((void *)(uintptr_t)at, 'w', (size_t)n);
    else
        memcpy(buf, bytes, (size_t)n < sizeof buf ? (size_t)n : sizeof buf);
}

static void take_in_place(bool by_lease)
{
    const void *place = NULL;
    plait_lease lease;
    ssize_t n;

    if (by_lease && plait_queue_lease(queue, &lease, PLAIT_NOWAIT) == 0) {
        touch(lease.bytes, (ssize_t)lease.size, false);
        if (lease.size % 2 == 0)
            plait_queue_ack(&lease);
        else
            plait_queue_nack(&lease);
    }
    n = by_lease ? -1 : plait_queue_borrow(queue, &place, PLAIT_NOWAIT);
    if (n >= 0) {
        touch(place, n, false);
        plait_queue_release(queue, place);
    }
}

static void put_in_place(size_t n)
{
    void *room = NULL;

    if (plait_queue_reserve(queue, &room, n, PLAIT_NOWAIT) < 0)
        return;
    touch(room, (ssize_t)n, true);
    if (n % 2 == 0)
        plait_queue_commit(queue, room, n);
    else
        plait_queue_abort(queue, room);
}

static void call(unsigned which, size_t n)
{
    plait_bytes items[3] = { { buf, n % 100 }, { buf, 0 }, { buf, n } };
    plait_queue_batch batch = { buf, sizeof buf, items, 3 };

    switch (which) {
    case 0:
        need(plait_queue_get(queue, buf, sizeof buf, PLAIT_NOWAIT) <= (ssize_t)sizeof buf);
        break;
    case 1:
        plait_queue_put_lane(queue, n % 2, buf, n, PLAIT_NOWAIT);
        break;
    case 2:
        plait_queue_put_many(queue, items, 3, PLAIT_NOWAIT);
        break;
    case 3:
        need(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT) <= 3);
        break;
    case 4:
        put_in_place(n);
        break;
    case 5:
        plait_queue_join(queue, PLAIT_NOWAIT);
        plait_queue_task_done(queue);
        break;
    case 6:
        plait_queue_shutdown(queue, n % 2 == 0);
        break;
    default:
        take_in_place(which == 7);
    }
}

static void spoil(uint8_t how, uint16_t which, uint64_t value)
{
    uint64_t *word = (uint64_t *)(void *)block + which % (block_bytes / 8);

    if (how % 3 == 0)
        *word ^= value;
    else if (how % 3 == 1)
        *word = value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (queue == NULL)
        make_once();
    memcpy(block, scene, block_bytes);
    for (size_t i = 0; i < MOST_STEPS && (i + 1) * STEP <= size; i++) {
        const uint8_t *step = data + i * STEP;
        uint16_t which;
        uint64_t value;
        memcpy(&which, step + 2, sizeof which);
        memcpy(&value, step + 4, sizeof value);
        spoil(step[1], which, value);
        call(step[0] % 9, which % MOST);
    }
    return 0;
}
