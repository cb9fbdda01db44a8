/* Signals.
 * SPDX-License-Identifier: MIT
 */
#include "os/signal.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static sigset_t to_set(uint64_t bits)
{
    sigset_t set;

    sigemptyset(&set);
    for (int number = 1; number < NSIG; number++)
        if (bits >> (number - 1) & 1)
            sigaddset(&set, number);
    return set;
}

uint64_t plait__os_signals_ignored(void)
{
    uint64_t ignored = 0;
    struct sigaction action;

    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            ignored |= plait__signal_bit(number);
    return ignored;
}

static uint64_t to_bits(const sigset_t *set)
{
    uint64_t bits = 0;

    for (int number = 1; number < NSIG; number++)
        if (sigismember(set, number) == 1)
            bits |= plait__signal_bit(number);
    return bits;
}

uint64_t plait__os_signals_blocked(void)
{
    sigset_t set;

    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return to_bits(&set);
}

uint64_t plait__os_signals_pending(void)
{
    sigset_t set;

    sigpending(&set);
    return to_bits(&set);
}

void plait__os_signals_set_blocked(uint64_t blocked)
{
    sigset_t set = to_set(blocked);

    pthread_sigmask(SIG_SETMASK, &set, NULL);
}

void plait__os_signals_own(uint64_t ignored, uint64_t blocked)
{
    sigset_t set = to_set(blocked);

    for (int number = 1; number < NSIG; number++) {
        struct sigaction action = { .sa_handler = ignored >> (number - 1) & 1 ? SIG_IGN : SIG_DFL };
        sigaction(number, &action,
                  NULL); /* fails for SIGKILL, SIGSTOP and the library's own: as it should */
    }
    sigprocmask(SIG_SETMASK, &set, NULL);
}

void plait__os_signals_default(uint64_t signals)
{
    const uint64_t none[4] = { 0 }; /* no mask; the kernel's struct sigaction, with SIG_DFL */

    /* raw: each function of the C library that a process has not called yet costs it a page fault */
    for (uint64_t left = signals; left != 0; left &= left - 1)
        syscall(SYS_rt_sigaction, __builtin_ctzll(left) + 1, none, NULL, _NSIG / 8);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, _NSIG / 8);
}

int plait__os_signal_fd(uint64_t signals)
{
    sigset_t set = to_set(signals);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

    if (fd < 0)
        return -errno;
    sigprocmask(SIG_BLOCK, &set, NULL);
    return fd;
}

int plait__os_signal_read(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n;

    do
        n = read(fd, &info, sizeof info);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    return (int)info.ssi_signo;
}

static void (*on_signal[NSIG])(void); /* set before the handler */

static void handle(int number)
{
    int error = errno;

    on_signal[number]();
    errno = error;
}

int plait__os_on_signal(int number, void (*fn)(void))
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART | SA_ONSTACK };
    struct sigaction old;

    if (number <= 0 || number >= NSIG || sigaction(number, NULL, &old) < 0)
        return -EINVAL;
    if ((old.sa_flags & SA_SIGINFO) ||
        (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN && old.sa_handler != handle))
        return -EBUSY;
    on_signal[number] = fn;
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL) < 0 ? -EINVAL : 0;
}

int plait__os_on_free_signal(void (*fn)(void))
{
    struct sigaction old;

    for (int number = SIGRTMAX; number >= SIGRTMIN; number--)
        if (sigaction(number, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
            old.sa_handler == SIG_DFL && plait__os_on_signal(number, fn) == 0)
            return number;
    return -EBUSY;
}

int plait__os_thread_signal(pid_t thread, int number)
{
    return syscall(SYS_tgkill, getpid(), thread, number) < 0 ? -errno : 0;
}

void plait__os_stop_self(void)
{
    kill(getpid(), SIGSTOP);
}

void plait__os_ignore(int number)
{
    sigaction(number, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
}
