/* A map from job numbers to one word each.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/seqmap.h"

#include <errno.h>
#include <stdlib.h>

enum {
    PAGE_BITS = 6,
    PAGE_WORDS = 1 << PAGE_BITS,
    FIRST_CAP = 64
};

struct map_seqmap_page {
    uint64_t number; /* seq >> PAGE_BITS */
    uint64_t words[PAGE_WORDS];
};

/* The slot that holds the page, or the empty one where it would go. */
static size_t find_slot(struct map_seqmap_page *const *slots, size_t cap, uint64_t number)
{
    uint64_t hash = number * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & (cap - 1);

    while (slots[at] && slots[at]->number != number)
        at = (at + 1) & (cap - 1);
    return at;
}

static int grow(struct map_seqmap *map)
{
    size_t cap = map->cap ? map->cap * 2 : FIRST_CAP;
    struct map_seqmap_page **slots = calloc(cap, sizeof *slots);

    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i])
            slots[find_slot(slots, cap, map->slots[i]->number)] = map->slots[i];
    free(map->slots);
    map->slots = slots;
    map->cap = cap;
    return 0;
}

static struct map_seqmap_page *find_page(const struct map_seqmap *map, uint64_t number)
{
    return map->cap ? map->slots[find_slot(map->slots, map->cap, number)] : NULL;
}

static int add_page(struct map_seqmap *map, uint64_t number, struct map_seqmap_page **ret)
{
    struct map_seqmap_page *page;

    if (map->pages >= map->cap / 2) {
        int rc = grow(map);

        if (rc < 0)
            return rc;
    }
    page = calloc(1, sizeof *page);
    if (!page)
        return -ENOMEM;
    page->number = number;
    map->slots[find_slot(map->slots, map->cap, number)] = page;
    map->pages++;
    *ret = page;
    return 0;
}

void map_seqmap_fini(struct map_seqmap *map)
{
    for (size_t i = 0; i < map->cap; i++)
        free(map->slots[i]);
    free(map->slots);
    *map = (struct map_seqmap){ 0 };
}

uint64_t map_seqmap_get(const struct map_seqmap *map, uint64_t seq)
{
    const struct map_seqmap_page *page = find_page(map, seq >> PAGE_BITS);

    return page ? page->words[seq & (PAGE_WORDS - 1)] : 0;
}

int map_seqmap_set(struct map_seqmap *map, uint64_t seq, uint64_t word)
{
    struct map_seqmap_page *page = find_page(map, seq >> PAGE_BITS);

    if (!page && word == 0)
        return 0;
    if (!page) {
        int rc = add_page(map, seq >> PAGE_BITS, &page);

        if (rc < 0)
            return rc;
    }
    page->words[seq & (PAGE_WORDS - 1)] = word;
    return 0;
}

static int compare_pages(const void *left, const void *right)
{
    const struct map_seqmap_page *const *a = left, *const *b = right;

    return ((*a)->number > (*b)->number) - ((*a)->number < (*b)->number);
}

int map_seqmap_walk_init(struct map_seqmap_walk *walk, const struct map_seqmap *map)
{
    const struct map_seqmap_page **pages = calloc(map->pages + 1, sizeof *pages);
    size_t n = 0;

    if (!pages)
        return -ENOMEM;
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i])
            pages[n++] = map->slots[i];
    qsort(pages, n, sizeof *pages, compare_pages);
    *walk = (struct map_seqmap_walk){ .pages = pages, .n_pages = n };
    return 0;
}

void map_seqmap_walk_fini(struct map_seqmap_walk *walk)
{
    free(walk->pages);
    *walk = (struct map_seqmap_walk){ 0 };
}

bool map_seqmap_walk_next(struct map_seqmap_walk *walk, uint64_t *ret_seq, uint64_t *ret_word)
{
    for (; walk->page < walk->n_pages; walk->page++, walk->word = 0) {
        const struct map_seqmap_page *page = walk->pages[walk->page];

        while (walk->word < PAGE_WORDS) {
            unsigned at = walk->word++;

            if (page->words[at] != 0) {
                *ret_seq = page->number << PAGE_BITS | at;
                *ret_word = page->words[at];
                return true;
            }
        }
    }
    return false;
}
