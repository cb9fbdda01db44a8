/* What becomes of trees of tasks when somebody is killed, however the tasks are made.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included tree_contract.h. PLAIT_START_KILLS says how often is killed.
 */
#ifndef PLAIT_TESTS_TREE_DEATHS_H
#define PLAIT_TESTS_TREE_DEATHS_H

#include "os/pidfd.h"
#include "task/keeper.h"

#include <dirent.h>
#include <stdint.h>

#include "child.h"

/* 0: there is no such process. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[256] = "", *end;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    (void)!fgets(text, sizeof text, file);
    fclose(file);
    end = strrchr(text, ')');
    return end != NULL && strlen(end) > 4 ? atoi(end + 4) : 0;
}

static int stand(void *arg)
{
    take(arg);
    return say_ready_and_sleep();
}

TEST(a_killed_guard_takes_the_task_along)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(kill(parent_of(plait_task_id(task)), SIGKILL), 0);
    CHECK_INT(join(task).signal, SIGKILL);
    check_gone();
    plait_task_destroy(task);
}

static void kill_keeper(void)
{
    struct pollfd end = { .fd = plait__os_pidfd_open(plait__keeper_pid()), .events = POLLIN };

    CHECK(end.fd >= 0);
    CHECK_INT(plait__os_pidfd_signal(end.fd, SIGKILL), 0);
    CHECK_INT(test_poll(&end, 1, -1), 1);
    close(end.fd);
}

TEST(the_keepers_death_ends_what_it_has_forked_and_no_other_tree)
{
    prepare();
    CHECK_INT(plait_keeper_start(), 0);
    plait_task *task = start(leave_a_daemon, NULL);
    kill_keeper();
    if (METHOD == PLAIT_START_FORKSERVER) {
        CHECK_INT(join(task).signal, SIGKILL);
    } else {
        CHECK(plait_task_is_alive(task));
        CHECK_INT(plait_task_kill(task), 0);
        CHECK_INT(join(task).signal, SIGKILL);
    }
    check_gone_already();
    plait_task_destroy(task);
}

static void be_killed_behind_the_keeper(void)
{
    CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(kill(plait__keeper_pid(), SIGKILL), 0);
    be_killed();
}

TEST(the_deaths_of_owner_and_keeper_are_that_of_all_below)
{
    start_in_owner(leave_a_daemon, false, be_killed_behind_the_keeper);
}

/* ---- deaths at any moment ---- */

static uint32_t random_state = 1;

static unsigned pick(unsigned limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 16) % limit;
}

static int rounds(int otherwise)
{
    const char *text = getenv("PLAIT_START_KILLS");

    return text != NULL ? atoi(text) : otherwise;
}

static void start_for_ever(void)
{
    for (;;) {
        plait_task *task = NULL;
        CHECK_INT(start_rc(&task, leave_a_daemon, NULL), 0);
        usleep(pick(2000));
        plait_task_destroy(task);
    }
}

TEST_LIMIT(whenever_the_owner_is_killed_nothing_below_it_is_left, 60)
{
    for (int i = 0; i < rounds(8); i++) {
        prepare();
        pid_t owner = fork_checked();
        if (owner == 0) {
            random_state += (uint32_t)i;
            start_for_ever();
        }
        usleep(pick(METHOD == PLAIT_START_SPAWN ? 20000 : 8000));
        CHECK_INT(kill(owner, SIGKILL), 0);
        CHECK_INT(test_waitpid(owner, NULL, 0), owner);
        check_gone();
        close(life[0]);
        close(ready[0]);
        close(ready[1]);
    }
}

static bool is_below(pid_t pid, pid_t above)
{
    for (int depth = 0; depth < 8 && pid > 1; depth++) {
        pid = parent_of(pid);
        if (pid == above)
            return true;
    }
    return false;
}

/* Who is below that process, as far as there is room, but the caller. */
static int find_below(pid_t above, pid_t *ret, int room)
{
    const struct dirent *entry;
    DIR *proc = opendir("/proc");
    int n = 0;

    CHECK(proc != NULL);
    while (n < room && (entry = readdir(proc)) != NULL) {
        pid_t pid = atoi(entry->d_name);
        if (pid > 0 && pid != getpid() && is_below(pid, above))
            ret[n++] = pid;
    }
    closedir(proc);
    return n;
}

/* A keeper, a guard or a task; each may be in any of its steps. */
static void kill_for_ever(int said)
{
    for (;;) {
        pid_t found[32];
        int n = find_below(getppid(), found, 32);
        usleep(pick(1000));
        if (n > 0 && kill(found[pick((unsigned)n)], SIGKILL) == 0)
            CHECK_INT(write(said, "k", 1), 1);
    }
}

static int return_7(void *arg)
{
    take(arg);
    return 7;
}

/* Did it return? */
static bool run_once(void)
{
    plait_task *task = NULL;
    plait_outcome end = { 0 };
    int rc = start_rc(&task, return_7, NULL);

    if (rc < 0) {
        CHECK(rc == PLAIT_EKEEPER || (METHOD == PLAIT_START_SPAWN && rc == -ENOEXEC));
        return false;
    }
    end = join(task);
    if (end.kind == PLAIT_RETURNED)
        CHECK_INT(end.code, 7);
    else
        CHECK_INT(end.signal, SIGKILL);
    plait_task_destroy(task);
    return end.kind == PLAIT_RETURNED;
}

TEST_LIMIT(whoever_is_killed_each_task_ends_and_is_told, 60)
{
    int said[2], n_returned = 0, n_killed = 0;
    pid_t killer;

    prepare();
    CHECK_INT(pipe(said), 0);
    CHECK_INT(fcntl(said[0], F_SETFL, O_NONBLOCK), 0);
    killer = fork_checked();
    if (killer == 0)
        kill_for_ever(said[1]);
    for (int i = 0; i < rounds(20) || n_returned == 0 || (n_killed < 5 && i < 200); i++) {
        char byte;
        n_returned += run_once();
        while (test_read(said[0], &byte, 1) == 1)
            n_killed++;
    }
    CHECK_INT(kill(killer, SIGKILL), 0);
    CHECK_INT(test_waitpid(killer, NULL, 0), killer);
    check_gone();
}

#endif
