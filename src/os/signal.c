/* Signals.
 * SPDX-License-Identifier: MIT
 */
#include "os/signal.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
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

void plait__os_stop_self(void)
{
    kill(getpid(), SIGSTOP);
}

void plait__os_ignore(int number)
{
    sigaction(number, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
}
