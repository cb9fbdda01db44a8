/* Tests of the handler of faults: what was there before goes on as if it were alone.
 * SPDX-License-Identifier: MIT
 */
#include "os/fault.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static volatile int n_told, n_former;
static char *page;
static sigset_t seen; /* what the former handler found blocked */

static void note_fault(const void *address)
{
    n_told += address == page;
}

static void former_handler(int number)
{
    (void)number;
    n_former++;
    sigprocmask(SIG_BLOCK, NULL, &seen);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void former_informed(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_addr == page)
        former_handler(number);
}

static void install(int flags)
{
    struct sigaction action = { .sa_flags = flags };

    page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    if (flags & SA_SIGINFO)
        action.sa_sigaction = former_informed;
    else
        action.sa_handler = former_handler;
    CHECK_INT(sigaction(SIGSEGV, &action, NULL), 0);
    CHECK_INT(plait__os_on_fault(note_fault), 0);
}

static void touch(void)
{
    mprotect(page, 4096, PROT_NONE);
    *(volatile char *)page = 1;
}

TEST(who_was_there_before_is_called_with_its_mask)
{
    install(0);
    touch();
    touch();
    CHECK_INT(n_told, 2);
    CHECK_INT(n_former, 2);
    CHECK(sigismember(&seen, SIGUSR2) && sigismember(&seen, SIGSEGV));
    CHECK_INT(sigprocmask(SIG_BLOCK, NULL, &seen), 0);
    CHECK(!sigismember(&seen, SIGUSR2) && !sigismember(&seen, SIGSEGV));
}

TEST(so_is_one_that_does_not_put_off_its_own_signal)
{
    install(SA_NODEFER | SA_SIGINFO);
    touch();
    CHECK_INT(n_told, 1);
    CHECK_INT(n_former, 1);
    CHECK(sigismember(&seen, SIGUSR2) && !sigismember(&seen, SIGSEGV));
}

static int status_of(void (*fn)(void))
{
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    return status;
}

static void touch_twice(void)
{
    touch();
    CHECK_INT(n_former, 1);
    touch();
}

TEST(so_is_one_that_wanted_to_be_called_once_and_then_the_default)
{
    int status;

    install(SA_RESETHAND);
    status = status_of(touch_twice);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGSEGV);
}

static void send_it(void)
{
    raise(SIGSEGV);
}

TEST(a_signal_that_was_sent_is_ignored_or_ends_the_program_as_before)
{
    CHECK(signal(SIGSEGV, SIG_IGN) != SIG_ERR);
    CHECK_INT(plait__os_on_fault(note_fault), 0);
    CHECK_INT(status_of(send_it), 0);
    page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_INT(WTERMSIG(status_of(touch)), SIGSEGV); /* a fault cannot be */
}

TEST(without_a_handler_before_it_ends_the_program)
{
    CHECK(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
    CHECK_INT(plait__os_on_fault(note_fault), 0);
    CHECK_INT(WTERMSIG(status_of(send_it)), SIGSEGV);
}
