/* The runner behind test.h.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_SKIPPED = 77,
    EXIT_CHECK_FAILED = 99,
    SAMPLED = 11 /* of so many cases of a group one is run; odd, so that no variant is left out */
};

static struct test_case *first_case;
static struct test_case **last_link = &first_case;

void test_register(struct test_case *test)
{
    *last_link = test;
    last_link = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "    %s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _exit(EXIT_CHECK_FAILED);
}

void test_skip(const char *reason)
{
    fflush(stdout);
    fprintf(stderr, "    skipped: %s\n", reason);
    _exit(EXIT_SKIPPED);
}

pid_t test_waitpid(pid_t pid, int *ret_status, int options)
{
    pid_t rc;

    do
        rc = waitpid(pid, ret_status, options);
    while (rc < 0 && errno == EINTR);
    return rc;
}

ssize_t test_read(int fd, void *buf, size_t n)
{
    ssize_t rc;

    do
        rc = read(fd, buf, n);
    while (rc < 0 && errno == EINTR);
    return rc;
}

int test_poll(struct pollfd *fds, nfds_t n, int ms)
{
    int rc;

    do
        rc = poll(fds, n, ms);
    while (rc < 0 && errno == EINTR);
    return rc;
}

void test_check_int(const char *file, int line, const char *expr, long long got, long long want)
{
    if (got != want)
        test_fail(file, line, "%s is %lld, not %lld", expr, got, want);
}

void test_check_str(const char *file, int line, const char *expr, const char *got, const char *want)
{
    if (got == NULL || strcmp(got, want) != 0)
        test_fail(file, line, "%s is \"%s\", not \"%s\"", expr, got == NULL ? "(null)" : got, want);
}

void test_check_mem(const char *file, int line, const void *got, size_t got_len, const void *want,
                    size_t want_len)
{
    if (got_len != want_len || memcmp(got, want, want_len) != 0)
        test_fail(file, line, "got %zu bytes \"%.*s\", not %zu bytes \"%.*s\"", got_len,
                  (int)got_len, (const char *)got, want_len, (int)want_len, (const char *)want);
}

static int slowness(void)
{
    const char *slow = getenv("PLAIT_SLOW");
    int factor = slow != NULL ? atoi(slow) : 1;

    return factor > 0 ? factor : 1;
}

/* ---- PLAIT_EINTR_STORM: a signal without SA_RESTART, ten thousand times a second ---- */

enum {
    STORM_SIGNAL = SIGURG, /* harmless to who takes the handler back, as the workers of a pool do */
    STORM_US = 100,
    STORM_THREADS = 64,
    STORM_LOOKS = 50 /* signals between two looks at which threads there are */
};

static bool is_storm(void)
{
    return getenv("PLAIT_EINTR_STORM") != NULL;
}

static void do_nothing(int number)
{
    (void)number;
}

/* A timer of its own, not the one that a case may use; no forked or exec'd process inherits it. What the
 * keeper forks has not inherited the handler either. */
static void begin_signals(void)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = STORM_SIGNAL };
    const struct itimerspec often = { { 0, STORM_US * 1000 }, { 0, STORM_US * 1000 } };
    timer_t timer;

    sigaction(STORM_SIGNAL, &(struct sigaction){ .sa_handler = do_nothing }, NULL);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
        timer_settime(timer, 0, &often, NULL) < 0)
        test_fail(__FILE__, __LINE__, "no timer: %s", strerror(errno));
}

/* In the case's process: for its first thread, and for that of each process that it forks. */
static void begin_storm(void)
{
    pthread_atfork(NULL, NULL, begin_signals);
    begin_signals();
}

/* The threads of a process, its first one aside. */
static size_t list_threads(pid_t pid, pid_t *threads, size_t most)
{
    const struct dirent *entry;
    char path[32];
    size_t n = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    while (n < most && (entry = readdir(dir)) != NULL) {
        threads[n] = (pid_t)atol(entry->d_name);
        n += threads[n] > 0 && threads[n] != pid;
    }
    closedir(dir);
    return n;
}

/* From outside, to all other threads of the case's process: it should not notice but by that. */
static void storm_threads(pid_t pid)
{
    static unsigned n_calls;
    static size_t n;
    static pid_t threads[STORM_THREADS];

    if (n_calls++ % STORM_LOOKS == 0)
        n = list_threads(pid, threads, STORM_THREADS);
    for (size_t i = 0; i < n; i++)
        syscall(SYS_tgkill, pid, threads[i], STORM_SIGNAL);
}

/* Waits for a SIGCHLD, as long as is left. False: that is over. */
static bool wait_a_while(pid_t pid, const struct timespec *end)
{
    struct timespec left, now;
    sigset_t set;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left = (struct timespec){ end->tv_sec - now.tv_sec + 1, 0 };
    if (left.tv_sec <= 0)
        return false;
    if (is_storm()) {
        storm_threads(pid);
        left = (struct timespec){ 0, STORM_US * 1000 };
    }
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigtimedwait(&set, NULL, &left);
    return true;
}

/* Waits for the case's process; kills its group when the limit is over. Returns the wait status, -1
 * after the limit. */
static int wait_limited(pid_t pid, int limit_s)
{
    struct timespec end;
    int status;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += limit_s;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (!wait_a_while(pid, &end)) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
    }
    kill(-pid, SIGKILL); /* what the case left behind in its group */
    return status;
}

/* 0 passed, 77 skipped, else failed. */
static int run_case(const struct test_case *test, const sigset_t *old_mask)
{
    struct timespec begin, end;
    const char *verdict;
    int status, rc;

    fflush(NULL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        return 1;
    }
    if (pid == 0) {
        setpgid(0, 0);
        sigprocmask(SIG_SETMASK, old_mask, NULL);
        if (is_storm())
            begin_storm();
        test->run();
        exit(0);
    }
    setpgid(pid, pid);
    status = wait_limited(pid, test->limit_s * slowness());
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (status == -1) {
        rc = 1;
        verdict = "TIME LIMIT";
    } else if (WIFSIGNALED(status)) {
        rc = 1;
        verdict = strsignal(WTERMSIG(status));
    } else {
        rc = WEXITSTATUS(status);
        verdict = rc == 0 ? "ok" : rc == EXIT_SKIPPED ? "skipped" : "FAILED";
    }
    printf("%-8s %s (%.2f s)\n", verdict, test->name,
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    fflush(stdout);
    return rc;
}

static bool is_of_the_sample(void)
{
    static unsigned n;
    const char *sample = getenv("PLAIT_SAMPLE");

    return n++ % SAMPLED == 0 || (sample != NULL && strcmp(sample, "all") == 0);
}

static bool is_wanted(const struct test_case *test, int argc, char **argv)
{
    const char *group = getenv("PLAIT_CASES");

    if (strcmp(test->group, group != NULL ? group : "") != 0)
        return false;
    if (argc < 2)
        return group == NULL || is_of_the_sample();
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], test->name) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0, skipped = 0;
    sigset_t set, old_mask;

    if (test_begin != NULL)
        test_begin(&argc, &argv);
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        for (struct test_case *test = first_case; test != NULL; test = test->next)
            puts(test->name);
        return 0;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old_mask);
    for (struct test_case *test = first_case; test != NULL; test = test->next) {
        if (!is_wanted(test, argc, argv))
            continue;
        int rc = run_case(test, &old_mask);
        if (rc == 0)
            passed++;
        else if (rc == EXIT_SKIPPED)
            skipped++;
        else
            failed++;
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed > 0 || passed + skipped == 0;
}
