/* A map from job numbers to one word each, for ten million of them.
 * SPDX-License-Identifier: MIT
 *
 * Job numbers come nearly dense, so words lie in pages of 64 and only the pages are hashed: a dense log costs 8.4 bytes
 * a job. A sparse one costs a page a job, which a log of that many lines has paid for many times over.
 */
#ifndef PLAIT__CMD_MAP_SEQMAP_H
#define PLAIT__CMD_MAP_SEQMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_seqmap_page;

/* Zero bytes are an empty map. */
struct map_seqmap {
    struct map_seqmap_page *
        *slots; /* open addressing by page number; a power of two, at most half full */
    size_t cap;
    size_t pages;
};

void map_seqmap_fini(struct map_seqmap *map);
/* The word of seq; 0 when it has none. */
uint64_t map_seqmap_get(const struct map_seqmap *map, uint64_t seq);
/* 0 or -ENOMEM. The word 0 takes seq out and cannot fail. */
int map_seqmap_set(struct map_seqmap *map, uint64_t seq, uint64_t word);

/* A walk in order of seq. The map must not change until the walk is finished with. */
struct map_seqmap_walk {
    const struct map_seqmap_page **pages; /* sorted */
    size_t n_pages;
    size_t page; /* where the walk is */
    unsigned word;
};

int map_seqmap_walk_init(struct map_seqmap_walk *walk, const struct map_seqmap *map);
void map_seqmap_walk_fini(struct map_seqmap_walk *walk);
/* True with the next seq that has a word; false at the end. */
bool map_seqmap_walk_next(struct map_seqmap_walk *walk, uint64_t *ret_seq, uint64_t *ret_word);

#endif
