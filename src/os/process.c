/* Fork, pidfds, waiting.
 * SPDX-License-Identifier: MIT
 */
#include "os/process.h"
#include "os/clock.h"
#include "os/pidfd.h"
#include "os/probe.h"
#include "os/sanitize.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<sys/single_threaded.h>)
#    include <sys/single_threaded.h>
#else
static const char __libc_single_threaded; /* musl: never known without asking */
#endif

/* P_PIDFD, which older headers lack. */
enum {
    WAIT_PIDFD = 3
};

pid_t plait__os_fork(void)
{
    pid_t pid = fork();

    return pid < 0 ? -errno : pid;
}

pid_t plait__os_fork_hidden(int *ret_pidfd)
{
    int pidfd = -1;
    /* no signal in the low byte of the flags: nothing is sent at its end, and only __WALL or
     * __WCLONE sees it. The argument order of the raw call differs between architectures only
     * behind the third. */
    long pid = syscall(SYS_clone, (unsigned long)CLONE_PIDFD, NULL, &pidfd, NULL, NULL);

    if (pid < 0)
        return -errno;
    if (pid > 0)
        *ret_pidfd = pidfd;
    return (pid_t)pid;
}

static int64_t timeval_ns(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

static void set_usage(struct plait__death *death, const struct rusage *usage)
{
    death->has_usage = true;
    death->user_ns = timeval_ns(usage->ru_utime);
    death->system_ns = timeval_ns(usage->ru_stime);
    death->peak_kib = usage->ru_maxrss;
}

static void set_status(struct plait__death *death, int status)
{
    death->known = true;
    if (WIFSIGNALED(status)) {
        death->signal = WTERMSIG(status);
        death->core = WCOREDUMP(status);
    } else {
        death->status = WEXITSTATUS(status);
    }
}

/* The host reaped it: newer kernels keep the status for whoever holds a pidfd. */
static void ask_pidfd(int pidfd, struct plait__death *ret)
{
    int status;

    if (plait__probe_has(PLAIT__PROBE_PIDFD_INFO) && plait__os_pidfd_status(pidfd, &status))
        set_status(ret, status);
}

int plait__os_pidfd_wait(int pidfd, struct plait__death *ret)
{
    struct plait__death death = { 0 };
    siginfo_t info;
    struct rusage usage;
    long rc;

    memset(&info, 0, sizeof info);
    do
        rc = syscall(SYS_waitid, WAIT_PIDFD, pidfd, &info, WEXITED | WNOHANG | __WALL, &usage);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno != ECHILD)
        return -errno;
    if (rc < 0) {
        ask_pidfd(pidfd, &death);
        *ret = death;
        return 0;
    }
    if (info.si_pid == 0)
        return -EAGAIN;
    death.pid = info.si_pid;
    death.known = true;
    if (info.si_code == CLD_EXITED)
        death.status = info.si_status;
    else
        death.signal = info.si_status;
    death.core = info.si_code == CLD_DUMPED;
    set_usage(&death, &usage);
    *ret = death;
    return 0;
}

pid_t plait__os_wait_any(struct plait__death *ret)
{
    struct plait__death death = { 0 };
    struct rusage usage;
    int status;
    pid_t pid;

    do
        pid = wait4(-1, &status, WNOHANG | __WALL, &usage);
    while (pid < 0 && errno == EINTR);
    if (pid < 0)
        return -errno;
    if (pid > 0) {
        death.pid = pid;
        set_status(&death, status);
        set_usage(&death, &usage);
        *ret = death;
    }
    return pid;
}

void plait__os_reap(pid_t pid)
{
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
}

int plait__os_thread_count(void)
{
    char line[512];
    long threads = 0;
    ssize_t n;
    int fd;

    if (__libc_single_threaded) /* true only as long as no thread was ever started */
        return 1;
    fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return -ENOENT;
    line[n] = '\0';
    /* the name, in parentheses, may hold anything; num_threads is the 18th field behind it */
    char *field = strrchr(line, ')');
    for (int i = 0; field != NULL && i < 18; i++)
        field = strchr(field + 1, ' ');
    if (field != NULL)
        threads = strtol(field, NULL, 10);
    return threads > PLAIT__SANITIZER_THREADS ? (int)threads - PLAIT__SANITIZER_THREADS : 1;
}

void plait__os_die_with_parent(int signal)
{
    prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0); /* fails only for an unknown signal */
}

void plait__os_lead_group(void)
{
    setpgid(0, 0); /* fails only for a session leader, which has a group of its own already */
}

int plait__os_adopt_orphans(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0, 0, 0) < 0 ? -errno : 0;
}

void plait__os_set_process_name(const char *name)
{
    prctl(PR_SET_NAME, (unsigned long)(uintptr_t)name, 0, 0, 0);
}

uint64_t plait__os_random(void)
{
    uint64_t bits = 0;

    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) !=
        (ssize_t)sizeof bits) /* early at boot, or refused */
        bits = (uint64_t)plait__os_real_ns() * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)getpid()
                                                                                  << 40;
    return bits;
}
