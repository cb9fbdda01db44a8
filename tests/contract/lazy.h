/* What lazies promise whatever their pool is of, one body for each claim.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND before.
 */
#ifndef PLAIT_TESTS_LAZY_H
#define PLAIT_TESTS_LAZY_H

#include <plait.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In the family's heap: calls see it whatever they run in. */
static struct board {
    plait_event go_on;
    int begun, ended, waited;
} * board;

static void prepare(size_t workers)
{
    const plait_pool_opts opts = { .workers = workers };

    CHECK_INT(plait_keeper_start(), 0);
    board = plait_shared_alloc(sizeof *board);
    CHECK(board != NULL);
    CHECK_INT(plait_lazy_pool(KIND, &opts), 0);
}

struct page {
    int number;
    char text[200];
};

static int make_page(int number, struct page *ret)
{
    if (number < 0)
        return number;
    memset(ret, 0, sizeof *ret);
    ret->number = number;
    memset(ret->text, 'a' + number % 26, sizeof ret->text - 1);
    return number % 2; /* any number that is not negative */
}

PLAIT_LAZY(make_page, struct page, int);

static int count_letters(plait_lazy *page, long *ret)
{
    struct page got;
    int rc = plait_lazy_get(page, &got, sizeof got, PLAIT_FOREVER);

    if (rc < 0)
        return rc == PLAIT_ENOVALUE ? -ENOENT : rc;
    *ret = (long)strlen(got.text) + got.number;
    return 0;
}

PLAIT_LAZY(count_letters, long, plait_lazy *);

struct both {
    plait_lazy *a, *b;
};

static int add(struct both both, long *ret)
{
    long a = 0, b = 0;
    int rc = plait_lazy_get(both.a, &a, sizeof a, PLAIT_FOREVER);

    if (rc == 0)
        rc = plait_lazy_get(both.b, &b, sizeof b, PLAIT_FOREVER);
    if (rc == 0)
        *ret = a + b;
    return rc;
}

PLAIT_LAZY(add, long, struct both);

static int return_it(int code, int *ret)
{
    *ret = code;
    return code;
}

PLAIT_LAZY(return_it, int, int);

/* Runs until it is told to go on, or to end. */
static int stand(struct board *where, int *ret)
{
    __atomic_add_fetch(&where->begun, 1, __ATOMIC_SEQ_CST);
    where->waited = plait_event_wait(&where->go_on, PLAIT_FOREVER);
    __atomic_add_fetch(&where->ended, 1, __ATOMIC_SEQ_CST);
    *ret = 5;
    return where->waited;
}

PLAIT_LAZY(stand, int, struct board *);

/* Ends what is called like a function: gives the value back too. */
static long get_long(plait_lazy *lazy)
{
    long value = -1;

    CHECK_INT(plait_lazy_get(lazy, &value, sizeof value, PLAIT_FOREVER), 0);
    return value;
}

static void await_begun(int n)
{
    while (__atomic_load_n(&board->begun, __ATOMIC_SEQ_CST) < n)
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
}

TEST(a_value_is_there_when_it_is_asked_for)
{
    enum {
        MANY = 50
    };

    plait_lazy *pages[MANY];
    struct page page;

    prepare(2);
    for (int i = 0; i < MANY; i++) {
        pages[i] = make_page_lazy(i);
        CHECK(pages[i] != NULL);
    }
    for (int i = 0; i < MANY; i++) {
        for (int twice = 0; twice < 2; twice++) {
            CHECK_INT(plait_lazy_get(pages[i], &page, sizeof page, PLAIT_FOREVER), 0);
            CHECK_INT(page.number, i);
            CHECK_INT(page.text[198], 'a' + i % 26);
        }
        plait_lazy_destroy(pages[i]);
    }
}

TEST(the_call_runs_while_nobody_asks_and_the_caller_goes_on)
{
    int value = 0;

    prepare(1);
    plait_lazy *standing = stand_lazy(board);
    await_begun(1);
    CHECK_INT(plait_lazy_get(standing, &value, sizeof value, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_lazy_get(standing, &value, sizeof value, plait_after_ms(2)), -ETIMEDOUT);
    CHECK(!plait_future_is_ready(plait_lazy_future(standing)));
    CHECK_INT(value, 0);
    plait_event_set(&board->go_on);
    CHECK_INT(plait_lazy_get(standing, &value, sizeof value, PLAIT_FOREVER), 0);
    CHECK_INT(value, 5);
    plait_lazy_destroy(standing);
}

TEST(lazies_are_arguments_of_lazies_also_with_one_worker)
{
    enum {
        DEEP = 40
    };

    plait_lazy *page, *sums[DEEP];

    prepare(1);
    page = make_page_lazy(1);
    sums[0] = count_letters_lazy(page);
    sums[1] = count_letters_lazy(page);
    for (int i = 2; i < DEEP; i++)
        sums[i] = add_lazy((struct both){ sums[0], sums[i - 1] });
    CHECK_INT(get_long(sums[DEEP - 1]), 200 * (DEEP - 1));
    for (int i = DEEP - 1; i >= 0; i--)
        plait_lazy_destroy(sums[i]);
    plait_lazy_destroy(page);
}

TEST(what_went_wrong_is_told_where_the_value_is_asked_for)
{
    plait_result end;
    int value = 99;
    long length = 99;

    prepare(1);
    plait_lazy *failed = return_it_lazy(-ENOENT), *page = make_page_lazy(0);
    CHECK_INT(plait_lazy_get(failed, &value, sizeof value, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_INT(value, 99);
    CHECK_INT(plait_future_result(plait_lazy_future(failed), &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_ERROR);
    CHECK_INT(end.code, -ENOENT);
    plait_lazy_destroy(failed);
    CHECK_INT(plait_lazy_get(page, &value, sizeof value, PLAIT_FOREVER), -EINVAL); /* its size */
    plait_lazy_destroy(page);
    /* and what was made of it has none either */
    failed = make_page_lazy(-EPERM);
    plait_lazy *below = count_letters_lazy(failed);
    CHECK_INT(plait_lazy_get(below, &length, sizeof length, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_INT(plait_future_result(plait_lazy_future(below), &end), 0);
    CHECK_INT(end.code, -ENOENT);
    CHECK_INT(length, 99);
    plait_lazy_destroy(below);
    plait_lazy_destroy(failed);
}

TEST(what_cannot_be_begun_says_so_when_it_is_asked)
{
    plait_pool *closed = NULL;
    int value;

    prepare(1);
    CHECK_INT(plait_pool_create(&closed, KIND, NULL), 0);
    CHECK_INT(plait_pool_close(closed), 0);
    plait_lazy *never = return_it_lazy_in(closed, 0, 1);
    CHECK(never != NULL);
    CHECK_INT(plait_lazy_get(never, &value, sizeof value, PLAIT_FOREVER), -EPIPE);
    CHECK(plait_lazy_future(never) == NULL);
    plait_lazy_destroy(never);
    never = return_it_lazy_in(NULL, -1, 1);
    CHECK_INT(plait_lazy_get(never, &value, sizeof value, PLAIT_FOREVER), -EINVAL);
    plait_lazy_destroy(never);
    plait_pool_destroy(closed);
}

TEST(one_that_is_let_go_of_before_it_began_never_does)
{
    int value;

    prepare(1);
    plait_lazy *standing = stand_lazy(board);
    await_begun(1);
    plait_lazy *second = stand_lazy(board);
    plait_lazy_destroy(second);
    plait_event_set(&board->go_on);
    CHECK_INT(plait_lazy_get(standing, &value, sizeof value, PLAIT_FOREVER), 0);
    plait_lazy_destroy(standing);
    plait_lazy *last = return_it_lazy(3);
    CHECK_INT(plait_lazy_get(last, &value, sizeof value, PLAIT_FOREVER), 0);
    CHECK_INT(board->begun, 1);
    plait_lazy_destroy(last);
}

TEST(one_that_is_let_go_of_while_it_runs_is_asked_to_end)
{
    int value;

    prepare(1);
    plait_lazy *standing = stand_lazy(board);
    await_begun(1);
    plait_lazy_destroy(standing);
    plait_lazy *next = return_it_lazy(3); /* the only worker is free for it */
    CHECK_INT(plait_lazy_get(next, &value, sizeof value, PLAIT_FOREVER), 0);
    CHECK_INT(value, 3);
    plait_lazy_destroy(next);
    if (__atomic_load_n(&board->ended, __ATOMIC_SEQ_CST) > 0) /* a process may have been killed */
        CHECK_INT(board->waited, -ECANCELED);
}

TEST(one_that_runs_longer_than_its_limit_has_no_value)
{
    plait_result end;
    int value;

    prepare(1);
    plait_lazy *standing = stand_lazy_in(NULL, 10, board);
    CHECK_INT(plait_lazy_get(standing, &value, sizeof value, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_INT(plait_future_result(plait_lazy_future(standing), &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_EXPIRED);
    plait_lazy_destroy(standing);
}

TEST(a_pool_of_ones_own_is_as_good)
{
    plait_pool_opts opts = { .workers = 1 };
    plait_pool *own = NULL;
    int value;

    prepare(1);
    CHECK_INT(plait_pool_create(&own, KIND, &opts), 0);
    plait_lazy *standing = stand_lazy(board), *other = return_it_lazy_in(own, 0, 8);
    CHECK_INT(plait_lazy_get(other, &value, sizeof value, PLAIT_FOREVER), 0);
    CHECK_INT(value, 8);
    plait_event_set(&board->go_on);
    CHECK_INT(plait_lazy_get(standing, &value, sizeof value, PLAIT_FOREVER), 0);
    plait_lazy_destroy(standing);
    plait_lazy_destroy(other);
    plait_pool_destroy(own);
}

TEST(what_makes_no_sense_is_refused)
{
    int value;

    prepare(1);
    CHECK_INT(plait_lazy_pool(KIND, NULL), -EALREADY);
    CHECK_INT(plait_lazy_get(NULL, &value, sizeof value, PLAIT_NOWAIT), -EINVAL);
    CHECK(plait_lazy_start(NULL, 0, NULL) == NULL);
    CHECK(plait_lazy_future(NULL) == NULL);
    plait_lazy_destroy(NULL);
    plait_lazy *one = return_it_lazy(1);
    CHECK_INT(plait_lazy_get(one, NULL, sizeof value, PLAIT_NOWAIT), -EINVAL);
    plait_lazy_destroy(one);
}

#endif
