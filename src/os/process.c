/* Fork, pidfds, waiting.
 * SPDX-License-Identifier: MIT
 */
#include "os/process.h"
#include "os/clock.h"
#include "os/pidfd.h"
#include "os/probe.h"
#include "os/sanitize.h"
#include "os/stat_line.h"

#include <dirent.h>
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

enum {
    LIST_TRIES = 100
};

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
    int status = 0, rc = -ENOTSUP;

    if (plait__probe_has(PLAIT__PROBE_PIDFD_INFO))
        rc = plait__os_pidfd_status(pidfd, &status);
    if (rc == 0)
        set_status(ret, status);
    ret->is_untold = rc == -EAGAIN;
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

/* A line of /proc/self/…; 0 or -errno. */
static int read_line(const char *path, char line[PLAIT__STAT_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    int rc;

    if (fd < 0)
        return -errno;
    while ((n = read(fd, line, PLAIT__STAT_BYTES - 1)) < 0 && errno == EINTR)
        ;
    rc = n > 0 ? 0 : n < 0 ? -errno : -ENOENT;
    close(fd);
    if (rc == 0)
        line[n] = '\0';
    return rc;
}

/* The threads that still run, of n that the kernel counts: for a moment it counts one that was
 * joined, too. -EAGAIN: the list does not hold n; when a thread ends while it is read, another one
 * can be missing. */
static __attribute__((noinline)) int count_running(int n)
{
    char path[64], line[PLAIT__STAT_BYTES];
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int listed = 0, running = 0;

    if (dir == NULL)
        return n;
    while ((entry = readdir(dir)) != NULL) {
        long id = strtol(entry->d_name, NULL, 10);
        if (id <= 0)
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%ld/stat", id);
        if (read_line(path, line) < 0)
            continue;
        listed++;
        running += !(plait__os_stat_number(line, PLAIT__STAT_FLAGS) & PLAIT__STAT_EXITING);
    }
    closedir(dir);
    return listed == n && running > 0 ? running : -EAGAIN;
}

int plait__os_thread_count(void)
{
    char line[PLAIT__STAT_BYTES];
    int n = 0, rc = -EAGAIN;

    if (__libc_single_threaded) /* true only as long as no thread was ever started */
        return 1;
    for (int i = 0; i < LIST_TRIES && rc == -EAGAIN; i++) {
        rc = read_line("/proc/self/stat", line);
        if (rc < 0)
            return rc;
        n = (int)plait__os_stat_number(line, PLAIT__STAT_THREADS);
        rc = n > 1 ? count_running(n) : n;
    }
    if (rc > 0)
        n = rc; /* else threads come and go all the time */
    return n > PLAIT__SANITIZER_THREADS ? n - PLAIT__SANITIZER_THREADS : 1;
}

int plait__os_die_with_parent(pid_t parent, int signal)
{
    /* raw: see plait__os_dup_onto. Fails only for an unknown signal */
    syscall(SYS_prctl, PR_SET_PDEATHSIG, (unsigned long)signal, 0UL, 0UL, 0UL);
    return getppid() != parent ? -ESRCH : 0; /* it died before prctl */
}

void plait__os_lead_group(void)
{
    setpgid(0, 0); /* fails only for a session leader, which has a group of its own already */
}

void plait__os_join_group(pid_t group)
{
    if (setpgid(0, group) < 0)
        setpgid(0, 0);
}

int plait__os_adopt_orphans(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0, 0, 0) < 0 ? -errno : 0;
}

void plait__os_set_process_name(const char *name)
{
    syscall(SYS_prctl, PR_SET_NAME, name, 0UL, 0UL, 0UL);
}

void plait__os_set_own_name(void)
{
    plait__os_set_process_name(program_invocation_short_name);
}

uint64_t plait__os_random(void)
{
    uint64_t bits = 0, pid = (uint64_t)getpid();

    /* early at boot, or refused */
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits)
        bits = (uint64_t)plait__os_real_ns() * UINT64_C(0x9E3779B97F4A7C15) ^ pid << 40;
    return bits;
}
