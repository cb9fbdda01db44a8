/* The log, its callback, and broken assertions.
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"

#include "base/assert.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct heard {
    plait_log_level level;
    char text[1200];
    int count;
};

static void listen_to(plait_log_level level, const char *message, void *arg)
{
    struct heard *heard = arg;

    heard->level = level;
    heard->count++;
    snprintf(heard->text, sizeof(heard->text), "%s", message);
    errno = EIO;
}

/* From now on standard error is a pipe; its other end. */
static int catch_stderr(void)
{
    int fds[2];

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    return fds[0];
}

TEST(a_warning_is_one_line_on_standard_error)
{
    char text[256] = "";
    int fd = catch_stderr();

    plait__log(PLAIT_LOG_INFO, "not wanted by default");
    plait__log(PLAIT_LOG_WARNING, "worker %d died", 7);
    CHECK(read(fd, text, sizeof(text) - 1) > 0);
    CHECK_STR(text, "plait: worker 7 died\n");
}

TEST(the_callback_gets_what_was_asked_for)
{
    struct heard heard = { 0 };

    CHECK_INT(plait_log_set(listen_to, &heard, PLAIT_LOG_INFO), 0);
    plait__log(PLAIT_LOG_DEBUG, "too much");
    CHECK_INT(heard.count, 0);
    plait__log(PLAIT_LOG_INFO, "%s", "just right");
    CHECK_INT(heard.count, 1);
    CHECK_INT(heard.level, PLAIT_LOG_INFO);
    CHECK_STR(heard.text, "just right");
    CHECK_INT(plait_log_set(listen_to, &heard, PLAIT_LOG_OFF), 0);
    plait__log(PLAIT_LOG_ERROR, "nobody listens");
    CHECK_INT(heard.count, 1);
}

TEST(no_such_level_is_refused)
{
    CHECK_INT(plait_log_set(NULL, NULL, (plait_log_level)5), -EINVAL);
    CHECK_INT(plait_log_set(NULL, NULL, (plait_log_level)-1), -EINVAL);
}

TEST(errno_stays_what_it_was)
{
    struct heard heard = { 0 };

    CHECK_INT(plait_log_set(listen_to, &heard, PLAIT_LOG_ERROR), 0);
    errno = ENOENT;
    plait__log(PLAIT_LOG_ERROR, "the listener sets errno");
    CHECK_INT(errno, ENOENT);
    CHECK_INT(plait_log_set(NULL, NULL, PLAIT_LOG_ERROR), 0);
    close(STDERR_FILENO);
    plait__log(PLAIT_LOG_ERROR, "nobody hears this");
    CHECK_INT(errno, ENOENT);
}

TEST(control_characters_cannot_forge_a_line)
{
    struct heard heard = { 0 };

    CHECK_INT(plait_log_set(listen_to, &heard, PLAIT_LOG_ERROR), 0);
    plait__log(PLAIT_LOG_ERROR, "%s", "a\nplait: b\x1b[2Jc\x7f \xc3\xa4");
    CHECK_STR(heard.text, "a?plait: b?[2Jc? \xc3\xa4");
}

TEST(a_long_message_is_cut)
{
    static char text[1500], out[1500];
    int fd = catch_stderr();

    memset(text, 'x', sizeof(text) - 1);
    plait__log(PLAIT_LOG_ERROR, "%s", text);
    CHECK(read(fd, out, sizeof(out) - 1) > 1000);
    CHECK_STR(out + strlen(out) - 5, "x...\n");
}

static void check_own_pair(plait_log_level level, const char *message, void *arg)
{
    (void)level;
    (void)message;
    if (arg == NULL)
        _exit(3); /* our function with the other setting's argument */
}

static void *say_much(void *arg)
{
    atomic_bool *is_over = arg;

    while (!atomic_load(is_over))
        plait__log(PLAIT_LOG_ERROR, "hello");
    return NULL;
}

TEST(function_and_argument_stay_together_while_they_change)
{
    atomic_bool is_over = false;
    pthread_t thread;
    struct heard heard = { 0 };

    close(STDERR_FILENO); /* what goes to the default meanwhile */
    CHECK_INT(pthread_create(&thread, NULL, say_much, &is_over), 0);
    for (int i = 0; i < 20000; i++) {
        CHECK_INT(plait_log_set(NULL, NULL, PLAIT_LOG_ERROR), 0);
        CHECK_INT(plait_log_set(check_own_pair, &heard, PLAIT_LOG_ERROR), 0);
    }
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
}

TEST(a_broken_assertion_says_what_and_where_and_aborts)
{
    static const struct rlimit no_core = { 0, 0 };
    char text[1024] = "";
    int fd = catch_stderr(), status;
    pid_t pid = fork();

    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        PLAIT__ASSERT(1 + 1 == 2);
        PLAIT__ASSERT(1 + 1 == 3);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(read(fd, text, sizeof(text) - 1) > 0);
    CHECK(strstr(text, "log_test.c:") != NULL);
    CHECK(strstr(text, ": broken: 1 + 1 == 3\n") != NULL);
}
