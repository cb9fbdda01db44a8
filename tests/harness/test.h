/* The test harness: TEST(claim) registers itself; the runner forks one process a case, with a time
 * limit each. SPDX-License-Identifier: MIT
 *
 *     TEST(get_times_out_when_empty) { CHECK_INT(plait_queue_get(q, b, 1, PLAIT_NOWAIT),
 * -ETIMEDOUT); }
 *
 * With PLAIT_EINTR_STORM in the environment each case gets ten thousand signals a second meanwhile.
 *
 * Cases of a group (TEST_OF) are run with PLAIT_CASES=GROUP in the environment, and no others then:
 * each eleventh, all with PLAIT_SAMPLE=all, or those that are named.
 *
 * A failed CHECK prints expression and values and ends the case. `foo_test -l` lists the cases,
 * `foo_test NAME…` runs some.
 */
#ifndef PLAIT_TESTS_TEST_H
#define PLAIT_TESTS_TEST_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct test_case {
    const char *name;
    void (*run)(void);
    int limit_s;       /* seconds until it is killed, times PLAIT_SLOW in the environment */
    const char *group; /* "": of none */
    struct test_case *next;
};

void test_register(struct test_case *test);
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
/* Of a program that has to do something on the first line of main. */
void test_begin(int *argc, char ***argv) __attribute__((weak));
/* Ends the case as skipped; the reason must be listed in tests/skips.txt. */
void test_skip(const char *reason) __attribute__((noreturn));
/* waitpid, read and poll, that go on after a signal. */
pid_t test_waitpid(pid_t pid, int *ret_status, int options);
ssize_t test_read(int fd, void *buf, size_t n);
int test_poll(struct pollfd *fds, nfds_t n, int ms);
void test_check_int(const char *file, int line, const char *expr, long long got, long long want);
void test_check_str(const char *file, int line, const char *expr, const char *got,
                    const char *want);
void test_check_mem(const char *file, int line, const void *got, size_t got_len, const void *want,
                    size_t want_len);

/* Registers a case; its body stands elsewhere. */
#define TEST_CASE(group, claim, seconds)                                            \
    static void claim(void);                                                        \
    static struct test_case claim##_case = { #claim, claim, seconds, group, NULL }; \
    __attribute__((constructor)) static void claim##_register(void)                 \
    {                                                                               \
        test_register(&claim##_case);                                               \
    }

#define TEST_OF(group, claim, seconds) \
    TEST_CASE(group, claim, seconds)   \
    static void claim(void)

#define TEST_LIMIT(claim, seconds) TEST_OF("", claim, seconds)
#define TEST(claim)                TEST_LIMIT(claim, 10)

#define CHECK(expr)                                               \
    do {                                                          \
        if (!(expr))                                              \
            test_fail(__FILE__, __LINE__, "not true: %s", #expr); \
    } while (0)
#define CHECK_INT(expr, want) \
    test_check_int(__FILE__, __LINE__, #expr, (long long)(expr), (long long)(want))
#define CHECK_STR(expr, want) test_check_str(__FILE__, __LINE__, #expr, (expr), (want))
#define CHECK_MEM(got, got_len, want, want_len) \
    test_check_mem(__FILE__, __LINE__, (got), (got_len), (want), (want_len))

#endif
