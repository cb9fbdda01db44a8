/* How often the kernel has killed for want of memory, by the control group's own count.
 * SPDX-License-Identifier: MIT
 *
 * The file is opened at each look: a descriptor that is kept would be one that a child closes, or
 * that a program which closes all that it finds gives to something else.
 */
#include "os/oom.h"
#include "os/cgroup.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LATELY_NS = 10 * 1000 * 1000
};

static char path[PATH_MAX]; /* "": there is no such file */

/* The first one that is there is that of the process's own group. */
static int find(const char *dir, int version, void *arg)
{
    int n = snprintf(path, sizeof path, "%s/%s", dir,
                     version == 2 ? "memory.events" : "memory.oom_control");

    (void)arg;
    if (n > 0 && n < (int)sizeof path && access(path, R_OK) == 0)
        return 1;
    path[0] = '\0';
    return 0;
}

static void find_once(void)
{
    plait__os_cgroup_walk("", "memory", find, NULL);
}

static int64_t read_count(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char text[512];
    const char *line;
    ssize_t n;
    int fd;

    pthread_once(&once, find_once);
    fd = path[0] != '\0' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return -1;
    while ((n = read(fd, text, sizeof text - 1)) < 0 && errno == EINTR)
        ;
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    line = strstr(text, "oom_kill ");
    return line != NULL ? strtoll(line + sizeof "oom_kill " - 1, NULL, 10) : -1;
}

/* The last look; `count` is never older than `at_ns`, which releases it. */
static struct {
    int64_t at_ns; /* atomic; 0: there was none */
    int64_t count; /* atomic */
} last;

int64_t plait__os_oom_kills(void)
{
    int64_t now = plait__os_now_ns(), count = read_count();

    __atomic_store_n(&last.count, count, __ATOMIC_RELAXED);
    __atomic_store_n(&last.at_ns, now, __ATOMIC_RELEASE);
    return count;
}

int64_t plait__os_oom_kills_lately(void)
{
    int64_t at = __atomic_load_n(&last.at_ns, __ATOMIC_ACQUIRE);

    return at != 0 && plait__os_now_ns() - at < LATELY_NS
               ? __atomic_load_n(&last.count, __ATOMIC_RELAXED)
               : plait__os_oom_kills();
}
