/* The family's heap in a storm: blocks are zero when they come, nobody else's while they are held,
 * and back when they were freed.
 * SPDX-License-Identifier: MIT
 *
 * The oracle. A process notes in its account which blocks it has, and fills them with what only it
 * fills them with. After its death the runner looks at these and frees them. A block that it was
 * about to get or to free is open: it may be allocated still, and nobody knows where. So at the
 * end there are no more blocks than such deaths, and the heap's own books are whole.
 */
#include "heap_check.h"
#include "storm.h"

#include <string.h>

enum {
    CELLS = STORM_WORDS,
    LARGE = 40000,
};

enum state {
    NONE,
    ALLOCATING,
    HELD,
    FREEING,
    STATES = 4
};

struct head {
    uint64_t size, mark;
};

static uint64_t open_blocks, blocks_before;

static void say(struct life *life, unsigned cell, void *block, enum state state)
{
    __atomic_store_n(&life->words[cell], (uint64_t)(uintptr_t)block | state, __ATOMIC_SEQ_CST);
}

static uint64_t mark_of(const struct life *life, unsigned cell)
{
    return ((uint64_t)storm_round() << 32 | (uint64_t)life->number << 8 | cell) *
           UINT64_C(0x9E3779B97F4A7C15);
}

/* What is behind the head. */
static unsigned char *body_of(struct head *head)
{
    return (unsigned char *)(head + 1);
}

static void check_block(struct head *head, uint64_t mark)
{
    const unsigned char *body = body_of(head);

    CHECK_INT(head->mark, mark);
    CHECK(head->size >= sizeof *head && head->size <= LARGE);
    for (size_t i = 0; i < head->size - sizeof *head; i++)
        if (body[i] != (unsigned char)(mark + i))
            test_fail(__FILE__, __LINE__, "byte %zu of %llu is another one's", i,
                      (unsigned long long)head->size);
}

static size_t random_size(void)
{
    uint32_t chance = storm_random(64);

    return sizeof(struct head) + (chance == 0   ? storm_random(LARGE - sizeof(struct head))
                                  : chance < 12 ? storm_random(2000)
                                                : storm_random(100));
}

static void get_block(struct life *life, unsigned cell)
{
    size_t size = random_size();
    struct head *head;

    say(life, cell, NULL, ALLOCATING);
    storm_enter(life, "plait_shared_alloc");
    head = plait_shared_alloc(size);
    CHECK(head != NULL);
    for (size_t i = 0; i < size; i++)
        if (((unsigned char *)head)[i] != 0)
            test_fail(__FILE__, __LINE__, "byte %zu of %zu is not zero", i, size);
    *head = (struct head){ size, mark_of(life, cell) };
    for (size_t i = 0; i < size - sizeof *head; i++)
        body_of(head)[i] = (unsigned char)(head->mark + i);
    say(life, cell, head, HELD);
    storm_leave(life, 0);
}

static void free_block(struct life *life, unsigned cell, struct head *head)
{
    check_block(head, mark_of(life, cell));
    storm_enter(life, "plait_shared_free");
    say(life, cell, head, FREEING);
    CHECK_INT(plait_shared_free(head), 0);
    say(life, cell, NULL, NONE);
    storm_leave(life, 0);
}

static struct head *block_of(const struct life *life, unsigned cell)
{
    return (struct head *)(uintptr_t)(life->words[cell] & ~UINT64_C(15));
}

static void work(struct life *life)
{
    while (!storm_is_over()) {
        unsigned cell = storm_random(CELLS);
        if (life->words[cell] == NONE)
            get_block(life, cell);
        else
            free_block(life, cell, block_of(life, cell));
    }
    for (unsigned cell = 0; cell < CELLS; cell++)
        if (life->words[cell] != NONE)
            free_block(life, cell, block_of(life, cell));
}

static void settle(struct life *life)
{
    for (unsigned cell = 0; cell < CELLS; cell++) {
        enum state state = life->words[cell] % STATES;
        if (state == HELD) {
            check_block(block_of(life, cell), mark_of(life, cell));
            CHECK_INT(plait_shared_free(block_of(life, cell)), 0);
        }
        open_blocks += state == ALLOCATING || state == FREEING;
    }
}

static void begin(void)
{
    open_blocks = 0;
    blocks_before = heap_usage().blocks;
}

static void end(void)
{
    uint64_t left = heap_usage().blocks - blocks_before;

    CHECK(left <= open_blocks);
    check_heap(blocks_before + left);
    storm_leaked(left);
}

const struct scenario storm_heap = {
    .name = "heap", .n_slots = 6, .begin = begin, .work = work, .settle = settle, .end = end
};
