/* Tests of the owned-record ring: what cannot be seen from outside of a queue.
 * SPDX-License-Identifier: MIT
 */
#include "chan/ring.h"
#include "chan/ring_record.h"
#include "family/heap.h"

#include "test.h"

#include <errno.h>
#include <string.h>

static const struct plait__look look = { { 0 }, false };

static struct plait__ring *make(plait_queue_opts opts)
{
    static struct plait__ring lanes[8];
    struct plait__ring plan;
    char *block;

    CHECK_INT(plait__ring_plan(&plan, &opts, false), 0);
    block = plait__heap_alloc(plait__ring_bytes(&plan) + 8192); /* so much begins a page */
    CHECK(block != NULL);
    plait__ring_place(lanes, &plan, block);
    plait__ring_clear(lanes);
    return lanes;
}

static int put(struct plait__ring *ring, size_t n)
{
    static char bytes[4096];
    const plait_bytes item = { bytes, n };
    ssize_t rc = plait__ring_put_many(ring, &item, 1, look);

    return rc < 0 ? (int)rc : 0;
}

static ssize_t get(struct plait__ring *ring)
{
    static char bytes[4096];

    return plait__ring_get(ring, bytes, sizeof bytes, look);
}

/* ---- marks ---- */

TEST(marks_count_round_and_round)
{
    uint64_t last = mark_add(0, UINT32_MAX - 1, 0x7fffffff);

    CHECK_INT(mark_position(last), UINT32_MAX - 1);
    CHECK_INT(mark_items(last), 0x7fffffff);
    CHECK_INT(mark_add(last, 5, 1), 3);
    CHECK_INT(mark_items(mark_add(last, 5, 0)), 0x7fffffff);
    CHECK_INT(mark_items(mark_add(last | PLAIT__RING_CLOSED, 0, 0)), 0x7fffffff);
}

TEST(a_record_tells_size_owner_and_state)
{
    uint64_t ctl = record_ctl(RECORD_TAKEN, (1U << 30) - 1, (1U << 29) - 1);

    CHECK_INT(record_state(ctl), RECORD_TAKEN);
    CHECK_INT(record_owner(ctl), (1U << 30) - 1);
    CHECK_INT(record_size(ctl), (1U << 29) - 1);
    CHECK(!(ctl & RECORD_PAD));
}

TEST(a_ring_goes_on_when_its_marks_begin_again)
{
    struct plait__ring *ring = make((plait_queue_opts){ .max_bytes = 1024, .max_items = 5 });
    uint64_t near = mark_add(0, UINT32_MAX - 20, 0x7fffffff - 10);
    const void *borrowed = NULL;
    size_t n = 0, size = 0, next = 0;

    ring->shared->tail = ring->shared->take = ring->shared->free = ring->shared->tail_seen =
        ring->shared->free_seen = near;
    for (int i = 0; i < 100; i++) {
        for (; put(ring, size) == 0; size = (size + 1) % 90)
            n++;
        CHECK_INT(plait__ring_size(ring), n);
        CHECK_INT(n, 5);
        CHECK_INT(plait__ring_borrow(ring, &borrowed, look), next);
        CHECK_INT(get(ring), (next + 1) % 90);
        CHECK_INT(plait__ring_release(ring, borrowed), 0);
        next = (next + 2) % 90;
        n -= 2;
    }
    CHECK(mark_position(ring->shared->tail) < UINT32_MAX / 2 &&
          mark_items(ring->shared->tail) < 0x3fffffff);
}

TEST(a_record_in_a_segment_makes_sense_or_not)
{
    struct plait__ring ring = { .mask = 63, .in_segment = true };
    uint64_t ready = record_ctl(RECORD_READY, 0, 16), first = mark_add(0, 60, 0);

    CHECK(is_sane(&ring, 0, 0, ready, 2));
    CHECK(is_sane(&ring, 0, 0, record_ctl(RECORD_READY, 0, 63 * 16), 64));
    CHECK(!is_sane(&ring, 0, 0, record_ctl(RECORD_READY, 0, 17), 2));
    CHECK(!is_sane(&ring, 0, 0, ready, 0));
    CHECK(!is_sane(&ring, 0, 0, ready, 65));
    CHECK(!is_sane(&ring, 0, 0, ready, UINT32_MAX));
    CHECK(!is_sane(&ring, 0, 0, ready & ~UINT64_C(7), 2));
    CHECK(!is_sane(&ring, 0, 0, record_ctl(RECORD_DONE + 1, 0, 0), 2));
    CHECK(!is_sane(&ring, 0, 0, ready | RECORD_PARCEL, 2));
    CHECK(is_sane(&ring, first, first, ready, 4));
    CHECK(!is_sane(&ring, first, first, ready, 5)); /* beyond the end of the ring */
    CHECK(is_sane(&ring, first, mark_add(first, 60, 0), ready, 4));
    CHECK(!is_sane(&ring, first, mark_add(first, 60, 0), ready, 5)); /* more than one round */
    CHECK(!is_sane(&ring, first, mark_add(first, 64, 0), ready, 1));
    ring.in_segment = false;
    CHECK(is_sane(&ring, 0, 0, 0, 0)); /* not asked */
}

/* ---- room ---- */

TEST(a_record_is_never_cut_in_two)
{
    struct plait__ring *ring = make((plait_queue_opts){ .max_bytes = 1024 });
    void *bytes = NULL;

    for (int i = 0; i < 200; i++) {
        size_t n = (size_t)i * 37 % 496;
        CHECK_INT(plait__ring_reserve(ring, &bytes, n, look), 0);
        CHECK((char *)bytes >= ring->shared->data + 16 &&
              (char *)bytes + n <= ring->shared->data + 1024);
        memset(bytes, i, n);
        CHECK_INT(plait__ring_commit(ring, bytes, n), 0);
        CHECK_INT(get(ring), (ssize_t)n);
    }
}

TEST(no_more_is_in_it_than_its_bounds)
{
    struct plait__ring *ring = make((plait_queue_opts){ .max_bytes = 1000, .max_items = 9 });

    for (int i = 0; i < 1000; i++) {
        while (put(ring, (size_t)i * 7 % 100) == 0)
            CHECK((mark_position(ring->shared->tail) - mark_position(ring->shared->free)) * 16 <=
                      1000 &&
                  plait__ring_size(ring) <= 9);
        CHECK(get(ring) >= 0);
        CHECK(i % 3 != 0 || get(ring) >= 0);
    }
}

/* ---- bells ---- */

TEST(nobody_is_woken_when_nobody_waits)
{
    struct plait__ring *ring = make((plait_queue_opts){ 0 });

    CHECK_INT(put(ring, 10), 0);
    CHECK_INT(put(ring, 1000), 0);
    CHECK_INT(get(ring), 10);
    CHECK_INT(get(ring), 1000);
    CHECK(ring->shared->get_bell == 0 && ring->shared->put_bell == 0);
}

static void check_rings(const uint32_t *bell, uint32_t seen, bool rings)
{
    CHECK_INT(*bell != seen, rings);
    CHECK_INT(plait__bell_awaited(bell) == 0, rings);
}

TEST(what_comes_rings_for_who_waits_for_it)
{
    static const plait_bytes many[2] = { { "a", 1 }, { "b", 1 } };
    struct plait__ring *ring = make((plait_queue_opts){ 0 });
    uint32_t *bell = &ring->shared->get_bell, seen = plait__bell_announce(bell, 0);
    void *bytes = NULL;

    CHECK_INT(put(ring, 10), 0);
    check_rings(bell, seen, true);
    seen = plait__bell_announce(bell, 0);
    CHECK_INT(put(ring, 1000), 0);
    check_rings(bell, seen, true);
    seen = plait__bell_announce(bell, 0);
    CHECK_INT(plait__ring_put_many(ring, many, 2, look), 2);
    check_rings(bell, seen, true);
    CHECK_INT(plait__ring_reserve(ring, &bytes, 5, look), 0);
    seen = plait__bell_announce(bell, 0);
    CHECK_INT(plait__ring_commit(ring, bytes, 5), 0);
    check_rings(bell, seen, true);
    CHECK_INT(plait__ring_reserve(ring, &bytes, 5, look), 0);
    CHECK_INT(put(ring, 10), 0);
    seen = plait__bell_announce(bell, 0);
    CHECK_INT(plait__ring_abort(ring, bytes), 0); /* what is behind it has come */
    check_rings(bell, seen, true);
    seen = plait__bell_announce(bell, 0);
    plait__ring_close(ring);
    check_rings(bell, seen, true);
}

TEST(what_is_freed_rings_for_who_waits_for_room)
{
    struct plait__ring *ring = make((plait_queue_opts){ .max_items = 3 });
    uint32_t *bell = &ring->shared->put_bell, seen;
    const void *bytes = NULL;

    CHECK_INT(put(ring, 10), 0);
    CHECK_INT(put(ring, 1000), 0);
    CHECK_INT(put(ring, 10), 0);
    seen = plait__ring_announce_put(ring, 5, false);
    CHECK_INT(get(ring), 10);
    check_rings(bell, seen, true);
    seen = plait__ring_announce_put(ring, 5, false);
    CHECK_INT(get(ring), 1000);
    check_rings(bell, seen, true);
    seen = plait__ring_announce_put(ring, 5, false);
    CHECK_INT(plait__ring_borrow(ring, &bytes, look), 10);
    check_rings(bell, seen, false);
    CHECK_INT(plait__ring_release(ring, bytes), 0);
    check_rings(bell, seen, true);
}

TEST(all_who_wait_for_room_are_woken_when_it_may_not_do_for_some)
{
    struct plait__ring *ring = make((plait_queue_opts){ .max_bytes = 1024 });
    uint32_t seen;

    while (put(ring, 16) == 0)
        continue;
    plait__ring_announce_put(ring, 16, false);
    CHECK_INT(get(ring), 16);
    CHECK_INT(plait__bell_want(ring->shared->put_bell), 2); /* one: it is enough for anybody */
    seen = plait__ring_announce_put(ring, 400, false);
    CHECK_INT(plait__bell_want(seen), 26);
    CHECK_INT(get(ring), 16);
    CHECK_INT(plait__bell_want(ring->shared->put_bell), 0); /* all */
}

TEST(the_last_item_in_hand_rings_for_those_who_wait_for_the_end)
{
    struct plait__ring *ring = make((plait_queue_opts){ 0 });
    const void *bytes = NULL;
    uint32_t seen;

    CHECK_INT(put(ring, 10), 0);
    CHECK_INT(plait__ring_borrow(ring, &bytes, look), 10);
    plait__ring_close(ring);
    seen = plait__bell_announce(&ring->shared->get_bell, 0);
    CHECK_INT(plait__ring_release(ring, bytes), 0);
    check_rings(&ring->shared->get_bell, seen, true);
}

TEST(what_is_given_back_rings_for_who_waits_for_an_item)
{
    struct plait__ring *ring = make((plait_queue_opts){ 0 });
    plait_lease lease = { 0 };
    uint32_t seen;

    CHECK_INT(put(ring, 10), 0);
    CHECK_INT(plait__ring_lease(ring, &lease, look), 0);
    seen = plait__bell_announce(&ring->shared->get_bell, 0);
    CHECK(!plait__ring_may_get(ring));
    CHECK_INT(plait__ring_nack(ring, &lease), 0);
    check_rings(&ring->shared->get_bell, seen, true);
    CHECK(plait__ring_may_get(ring));
}

TEST(the_end_of_a_lease_rings_only_for_who_waits_for_that)
{
    struct plait__ring *ring = make((plait_queue_opts){ .max_leases = 2 });
    plait_lease leases[2], none;
    uint32_t seen;

    for (int i = 0; i < 2; i++) {
        CHECK_INT(put(ring, 10), 0);
        CHECK_INT(plait__ring_lease(ring, &leases[i], look), 0);
    }
    seen = plait__bell_announce(&ring->shared->get_bell, 0);
    CHECK_INT(plait__ring_ack(ring, &leases[0]), 0);
    check_rings(&ring->shared->get_bell, seen, false);
    CHECK_INT(put(ring, 10), 0);
    CHECK_INT(plait__ring_lease(ring, &leases[0], look), 0);
    CHECK_INT(put(ring, 10), 0);
    CHECK_INT(plait__ring_lease(ring, &none, look), -EAGAIN);
    seen = plait__bell_announce(&ring->shared->get_bell, 0);
    CHECK_INT(plait__ring_ack(ring, &leases[0]), 0);
    check_rings(&ring->shared->get_bell, seen, true);
    plait__ring_close(ring);
    seen = plait__bell_announce(&ring->shared->get_bell, 0);
    CHECK_INT(plait__ring_ack(ring, &leases[1]), 0);
    check_rings(&ring->shared->get_bell, seen, true);
}

TEST(the_last_task_done_rings_for_who_joins)
{
    struct plait__ring *ring = make((plait_queue_opts){ 0 });
    uint32_t seen = plait__bell_announce(&ring->shared->join_bell, 0);
    void *bytes = NULL;

    CHECK_INT(put(ring, 10), 0);
    CHECK_INT(plait__ring_reserve(ring, &bytes, 10, look), 0);
    CHECK_INT(plait__ring_abort(ring, bytes), 0);
    CHECK_INT(get(ring), 10);
    CHECK_INT(get(ring), -EAGAIN);
    CHECK_INT(plait__ring_unfinished(ring), 1);
    seen = plait__bell_announce(&ring->shared->join_bell, 0);
    CHECK_INT(plait__ring_task_done(ring), 0);
    check_rings(&ring->shared->join_bell, seen, true);
}

TEST(what_comes_in_any_lane_rings_the_bell_of_the_first)
{
    struct plait__ring *first = make((plait_queue_opts){ .lanes = 3 });
    struct plait__ring *last = plait__ring_lane(first, 2);
    uint32_t seen = plait__ring_announce(first, &first->shared->get_bell);
    void *bytes = NULL;

    CHECK_INT(put(last, 10), 0);
    check_rings(&first->shared->get_bell, seen, true);
    CHECK(!plait__bell_awaited(&last->shared->get_bell)); /* said, until somebody waits again */
    CHECK(plait__bell_awaited(&plait__ring_lane(first, 1)->shared->get_bell));
    CHECK_INT(get(last), 10);
    seen = plait__ring_announce(first, &first->shared->join_bell);
    CHECK_INT(plait__ring_reserve(last, &bytes, 10, look), 0);
    CHECK_INT(plait__ring_abort(last, bytes), 0);
    check_rings(&first->shared->join_bell, seen, true);
}

TEST(a_close_closes_all_lanes)
{
    struct plait__ring *first = make((plait_queue_opts){ .lanes = 3 });

    plait__ring_close(first);
    for (unsigned i = 0; i < 3; i++)
        CHECK(plait__ring_is_closed(plait__ring_lane(first, i)));
}

TEST(who_wants_room_in_a_lane_is_rung_for_that_lane_only)
{
    struct plait__ring *first = make((plait_queue_opts){ .lanes = 2 });
    struct plait__ring *last = plait__ring_lane(first, 1);
    uint32_t seen = plait__ring_announce_put(last, 10, false);

    CHECK_INT(put(first, 10), 0);
    CHECK_INT(put(last, 10), 0);
    CHECK_INT(get(first), 10);
    check_rings(&last->shared->put_bell, seen, false);
    CHECK_INT(get(last), 10);
    check_rings(&last->shared->put_bell, seen, true);
}

/* ---- what the dead leave ---- */

TEST(an_item_that_never_came_is_counted_once)
{
    struct plait__ring *ring = make((plait_queue_opts){ 0 });
    void *bytes = NULL;
    uint64_t before;

    CHECK_INT(plait__ring_reserve(ring, &bytes, 10, look), 0);
    before = ((struct record *)bytes - 1)->ctl;
    CHECK_INT(plait__ring_abort(ring, bytes), 0);
    CHECK_INT((uint32_t)ring->shared->skipped, 1);
    /* as if it was killed when it had counted and not yet said so in the record */
    ((struct record *)bytes - 1)->ctl = (before & ~UINT64_C(15)) | RECORD_SKIP;
    ring->shared->take = ring->shared->free = 0;
    CHECK_INT(get(ring), -EAGAIN);
    CHECK_INT((uint32_t)ring->shared->skipped, 1);
    CHECK_INT(plait__ring_unfinished(ring), 0);
}
