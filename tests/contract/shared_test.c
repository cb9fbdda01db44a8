/* The contract of shared memory: one body for each claim, for processes and for threads.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

/* What both sides see. */
struct board {
    char *block;
    int rc;
    pid_t pid;
};

static struct board *new_board(void)
{
    struct board *board = plait_shared_alloc(sizeof *board);

    CHECK(board != NULL);
    return board;
}

static plait_outcome run(plait_kind kind, plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, kind, fn, arg, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    plait_task_destroy(task);
    return end;
}

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static int alloc_block(void *arg)
{
    struct board *board = arg;

    board->pid = getpid();
    board->block = plait_shared_alloc(1000);
    if (board->block == NULL)
        return 1;
    strcpy(board->block, "from a task");
    return 0;
}

static int free_block(void *arg)
{
    struct board *board = arg;

    board->rc = plait_shared_free(board->block);
    return plait_shared_free(board->block) == -EINVAL ? 0 : 1;
}

static void check_block_of_ended_task(plait_kind kind)
{
    struct board *board = new_board();
    plait_outcome end = run(kind, alloc_block, board);

    CHECK_INT(end.kind, PLAIT_RETURNED);
    CHECK_INT(end.code, 0);
    CHECK_INT(board->pid == getpid(), kind != PLAIT_PROCESS);
    CHECK_STR(board->block, "from a task");
    CHECK_INT(count_blocks(), 2);
    CHECK_INT(plait_shared_free(board->block), 0);
    CHECK_INT(plait_shared_free(board), 0);
    CHECK_INT(count_blocks(), 0);
}

static void check_block_freed_by_task(plait_kind kind)
{
    struct board *board = new_board();

    board->block = plait_shared_alloc(50000);
    board->rc = -1;
    CHECK_INT(run(kind, free_block, board).code, 0);
    CHECK_INT(board->rc, 0);
    CHECK_INT(plait_shared_free(board->block), -EINVAL);
    CHECK_INT(count_blocks(), 1);
}

TEST(a_block_of_a_task_that_has_ended_is_still_there_process)
{
    check_block_of_ended_task(PLAIT_PROCESS);
}

TEST(a_block_of_a_task_that_has_ended_is_still_there_thread)
{
    check_block_of_ended_task(PLAIT_THREAD);
}

TEST(another_task_may_free_a_block_process)
{
    check_block_freed_by_task(PLAIT_PROCESS);
}

TEST(another_task_may_free_a_block_thread)
{
    check_block_freed_by_task(PLAIT_THREAD);
}

static int alloc_until_killed(void *arg)
{
    struct board *board = arg;

    board->pid = getpid();
    for (size_t bytes = 1;; bytes = bytes * 5 % 100003)
        if (plait_shared_free(plait_shared_alloc(bytes)) < 0)
            return 1;
}

TEST(a_task_killed_while_it_allocates_stops_nobody_and_costs_a_block_at_most)
{
    enum {
        KILLS = 50
    };
    struct board *board = new_board();

    for (unsigned i = 0; i < KILLS; i++) {
        plait_task *task = NULL;
        board->pid = 0;
        CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, alloc_until_killed, board, NULL), 0);
        while (__atomic_load_n(&board->pid, __ATOMIC_ACQUIRE) == 0)
            CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
        CHECK_INT(plait_sleep(plait_after_ns((int64_t)i * 50000)), 0);
        CHECK_INT(plait_task_kill(task), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        plait_task_destroy(task);
        for (size_t bytes = 1; bytes < 100000; bytes = bytes * 3 + 1) {
            char *block = plait_shared_alloc(bytes);
            CHECK(block != NULL && block[0] == 0 && block[bytes - 1] == 0);
            memset(block, 'x', bytes);
            CHECK_INT(plait_shared_free(block), 0);
        }
    }
    CHECK(count_blocks() <= 1 + KILLS);
}
