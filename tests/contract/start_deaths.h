/* What process tasks promise when somebody is killed, and beside threads, however they are made.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included start_contract.h. PLAIT_START_KILLS says how often is killed.
 */
#ifndef PLAIT_TESTS_START_DEATHS_H
#define PLAIT_TESTS_START_DEATHS_H

/* ---- deaths ---- */

static void kill_keeper(void)
{
    int pidfd = plait__os_pidfd_open(plait__keeper_pid());
    struct pollfd end = { .fd = pidfd, .events = POLLIN };

    CHECK(pidfd >= 0);
    CHECK_INT(plait__os_pidfd_signal(pidfd, SIGKILL), 0);
    CHECK_INT(test_poll(&end, 1, -1), 1);
    close(pidfd);
}

TEST(after_the_keepers_death_the_next_start_makes_another)
{
    CHECK_INT(run(return_7, NULL).code, 7);
    kill_keeper();
    CHECK_INT(run(return_7, NULL).code, 7);
}

static int stand_for_ever(void *arg)
{
    struct board *board = arg;

    board->id = getpid();
    plait_event_set(&board->ready);
    return plait_sleep(PLAIT_FOREVER);
}

TEST(the_death_of_its_owner_ends_it)
{
    struct board *board = make_board();
    pid_t owner = fork_checked();
    struct pollfd end = { .events = POLLIN };

    if (owner == 0) {
        start(stand_for_ever, board);
        (void)plait_sleep(PLAIT_FOREVER);
    }
    CHECK_INT(plait_event_wait(&board->ready, PLAIT_FOREVER), 0);
    end.fd = plait__os_pidfd_open(board->id);
    CHECK(end.fd >= 0);
    CHECK_INT(poll(&end, 1, 0), 0);
    CHECK_INT(kill(owner, SIGKILL), 0);
    CHECK_INT(test_poll(&end, 1, -1), 1);
    CHECK_INT(test_waitpid(owner, NULL, 0), owner);
}

/* ---- beside threads ---- */

static void *start_and_join(void *arg)
{
    (void)arg;
    for (int i = 0; i < (METHOD == PLAIT_START_SPAWN ? 3 : 20); i++) {
        plait_task *task = start_int(return_code, i);
        CHECK_INT(join(task).code, i);
        plait_task_destroy(task);
    }
    return NULL;
}

TEST_LIMIT(threads_start_them_at_the_same_time, 30)
{
    pthread_t threads[3];

    CHECK_INT(plait_keeper_start(), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, start_and_join, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
}

/* ---- deaths at any moment ---- */

static uint32_t random_state = 1;

static unsigned pick(unsigned limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 16) % limit;
}

static int rounds(void)
{
    const char *text = getenv("PLAIT_START_KILLS");

    return text != NULL ? atoi(text) : METHOD == PLAIT_START_SPAWN ? 12 : 40;
}

/* Starts tasks until it is killed; what they print goes where nobody but they and we write. */
static void start_for_ever(struct board *board)
{
    for (;;) {
        plait_task *task = start(stand_for_ever, board);
        __atomic_store_n(&board->other, plait__keeper_pid(), __ATOMIC_SEQ_CST);
        CHECK_INT(plait_sleep(plait_after_ms(pick(3))), 0);
        plait_task_destroy(task);
    }
}

TEST_LIMIT(whenever_the_owner_is_killed_nothing_of_it_is_left, 60)
{
    struct board *board = make_board();
    char byte;
    int fds[2];

    for (int i = 0; i < rounds(); i++) {
        CHECK_INT(pipe(fds), 0);
        pid_t owner = fork_checked();
        if (owner == 0) {
            CHECK_INT(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
            close(fds[0]);
            close(fds[1]);
            random_state += (uint32_t)i;
            start_for_ever(board);
        }
        close(fds[1]);
        usleep(pick(METHOD == PLAIT_START_SPAWN ? 20000 : 8000));
        CHECK_INT(kill(owner, SIGKILL), 0);
        CHECK_INT(test_read(fds[0], &byte, 1), 0); /* the last one has ended */
        CHECK_INT(test_waitpid(owner, NULL, 0), owner);
        close(fds[0]);
    }
}

/* Kills the keeper, or the task that was started last. */
static void kill_for_ever(const struct board *board)
{
    for (;;) {
        usleep(pick(METHOD == PLAIT_START_SPAWN ? 8000 : 2000));
        pid_t victim = __atomic_load_n(pick(2) == 0 ? &board->other : &board->id, __ATOMIC_SEQ_CST);
        if (victim > 0)
            kill(victim, SIGKILL);
    }
}

TEST_LIMIT(whenever_the_keeper_or_a_task_is_killed_each_task_ends_and_is_told, 60)
{
    struct board *board = make_board();
    int n_returned = 0;
    pid_t killer = fork_checked();

    if (killer == 0)
        kill_for_ever(board);
    for (int i = 0; i < rounds() || n_returned == 0; i++) {
        plait_task *task = NULL;
        int rc = start_rc(&task, return_7, NULL, 0);
        if (rc < 0) {
            CHECK_INT(rc, PLAIT_EKEEPER);
            continue;
        }
        __atomic_store_n(&board->id, plait_task_id(task), __ATOMIC_SEQ_CST);
        __atomic_store_n(&board->other, plait__keeper_pid(), __ATOMIC_SEQ_CST);
        plait_outcome end = join(task);
        __atomic_store_n(&board->id, 0, __ATOMIC_SEQ_CST);
        if (end.kind == PLAIT_RETURNED)
            CHECK_INT(end.code, 7);
        else
            CHECK_INT(end.signal, SIGKILL);
        n_returned += end.kind == PLAIT_RETURNED;
        plait_task_destroy(task);
    }
    CHECK_INT(kill(killer, SIGKILL), 0);
    CHECK_INT(test_waitpid(killer, NULL, 0), killer);
}

#endif
