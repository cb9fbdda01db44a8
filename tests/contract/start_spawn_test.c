/* Process tasks that are the program again.
 * SPDX-License-Identifier: MIT
 */
#include <plait/process.h>

#define METHOD PLAIT_START_SPAWN
#include "start_contract.h"

#include "start_deaths.h"

#include <sys/socket.h>

TEST(a_pointer_into_private_memory_is_refused)
{
    plait_task *task = NULL;
    int number = 1;

    CHECK_INT(start_rc(&task, return_code, &number, 0), -EINVAL);
    CHECK(task == NULL);
}

TEST(it_outlives_the_keeper)
{
    struct board *board = make_board();
    plait_task *task = start_standing(board);

    kill_keeper();
    CHECK(plait_task_is_alive(task));
    CHECK_INT(run(return_7, NULL).code, 7);
    plait_event_set(&board->gate);
    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}

static int look_at_the_beginning(void *arg)
{
    struct board *board = arg;
    const char *word = getenv("START_WORD");

    if (getcwd(board->text, sizeof board->text) == NULL || word == NULL)
        return 1;
    board->value = getenv("PLAIT_SPAWN") == NULL && getenv("HOME") == NULL;
    return strcmp(word, "here");
}

TEST(it_begins_as_the_options_say)
{
    struct board *board = make_board();
    char *const environment[] = { (char[]){ "START_WORD=here" }, NULL };
    const plait_process_opts process = { .directory = "/",
                                         .environment = environment,
                                         .close_fds = true };
    const plait_task_opts opts = { .method = PLAIT_START_SPAWN, .process = &process };
    const plait_process_opts nowhere = { .directory = "/nonexistent" };
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, look_at_the_beginning, board, &opts), 0);
    CHECK_INT(join(task).code, 0);
    CHECK_STR(board->text, "/");
    CHECK_INT(board->value, 1);
    plait_task_destroy(task);
    CHECK_INT(
        plait_task_start(&task, PLAIT_PROCESS, look_at_the_beginning, board,
                         &(plait_task_opts){ .method = PLAIT_START_SPAWN, .process = &nowhere }),
        -ENOENT);
}

static int count_arguments(void *arg)
{
    char text[4096];
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);

    (void)arg;
    return n > 0 && strstr(text, "start_spawn") != NULL ? 0 : 1;
}

TEST(its_arguments_are_the_programs)
{
    CHECK_INT(run(count_arguments, NULL).code, 0);
}

/* Of this program, exec'd with that variable: a stranger's, or of a process that was spawned to be
 * something, and whose own pid stands behind the dot. */
static int exit_status_with(const char *value, bool is_meant)
{
    char text[64];
    int status;
    pid_t pid = fork_checked();

    if (pid == 0) {
        snprintf(text, sizeof text, "%s%d", value, is_meant ? getpid() : getppid());
        setenv("PLAIT_SPAWN", text, 1);
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(99);
        execl("/proc/self/exe", "start_spawn", "-l", (char *)NULL);
        _exit(99);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(a_strangers_variable_does_no_harm_and_who_was_meant_never_runs_the_program)
{
    char number[16];
    int fds[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    CHECK_INT(write(fds[0], "hello", 5), 5);
    snprintf(number, sizeof number, "%d.", fds[1]);
    CHECK_INT(exit_status_with("", false), 0);
    CHECK_INT(exit_status_with("rubbish", false), 0);
    CHECK_INT(exit_status_with("0.", true), 0);
    CHECK_INT(exit_status_with(number, false), 0);
    CHECK_INT(exit_status_with(number, true), 1);
    CHECK_INT(exit_status_with("987.", true), 1);
}
