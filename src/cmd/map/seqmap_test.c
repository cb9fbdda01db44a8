/* Tests of the map from job numbers to words.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/seqmap.h"

#include "test.h"

TEST(a_number_without_a_word_has_zero)
{
    struct map_seqmap map = { 0 };

    CHECK_INT(map_seqmap_get(&map, 1), 0);
    CHECK_INT(map_seqmap_set(&map, 1, 0), 0);
    CHECK_INT(map.pages, 0);
    CHECK_INT(map_seqmap_set(&map, 1, 7), 0);
    CHECK_INT(map_seqmap_get(&map, 1), 7);
    CHECK_INT(map_seqmap_get(&map, 2), 0);
    CHECK_INT(map_seqmap_get(&map, UINT64_MAX), 0);
    map_seqmap_fini(&map);
}

TEST(the_last_word_counts)
{
    struct map_seqmap map = { 0 };

    CHECK_INT(map_seqmap_set(&map, 5, 1), 0);
    CHECK_INT(map_seqmap_set(&map, 5, 2), 0);
    CHECK_INT(map_seqmap_get(&map, 5), 2);
    CHECK_INT(map_seqmap_set(&map, 5, 0), 0);
    CHECK_INT(map_seqmap_get(&map, 5), 0);
    map_seqmap_fini(&map);
}

TEST(a_dense_million_takes_nine_bytes_each)
{
    enum {
        N = 1000000
    };
    struct map_seqmap map = { 0 };

    for (uint64_t seq = N; seq > 0; seq--)
        CHECK(map_seqmap_set(&map, seq, seq * 3) == 0);
    for (uint64_t seq = 1; seq <= N; seq++)
        CHECK(map_seqmap_get(&map, seq) == seq * 3);
    CHECK(map.pages * (64 + 1) * 8 + map.cap * sizeof(void *) < 9 * (size_t)N);
    map_seqmap_fini(&map);
}

TEST(the_walk_is_in_order_however_far_apart)
{
    static const uint64_t seqs[] = { UINT64_MAX, 3,     UINT64_C(1) << 40, 64, 0,
                                     63,         70000, UINT64_C(1) << 41 };

    enum {
        N = sizeof seqs / sizeof seqs[0]
    };
    struct map_seqmap map = { 0 };
    struct map_seqmap_walk walk;
    uint64_t seq, word, before = 0;
    size_t n = 0;

    for (size_t i = 0; i < N; i++)
        CHECK_INT(map_seqmap_set(&map, seqs[i], i + 1), 0);
    CHECK_INT(map_seqmap_set(&map, 64, 0), 0);
    CHECK_INT(map_seqmap_walk_init(&walk, &map), 0);
    for (; map_seqmap_walk_next(&walk, &seq, &word); n++) {
        CHECK(n == 0 || seq > before);
        CHECK(seqs[word - 1] == seq);
        before = seq;
    }
    CHECK_INT(n, N - 1);
    CHECK(!map_seqmap_walk_next(&walk, &seq, &word));
    map_seqmap_walk_fini(&walk);
    map_seqmap_fini(&map);
}

TEST(an_empty_map_walks_nowhere)
{
    struct map_seqmap map = { 0 };
    struct map_seqmap_walk walk;
    uint64_t seq, word;

    CHECK_INT(map_seqmap_walk_init(&walk, &map), 0);
    CHECK(!map_seqmap_walk_next(&walk, &seq, &word));
    map_seqmap_walk_fini(&walk);
    map_seqmap_fini(&map);
}
