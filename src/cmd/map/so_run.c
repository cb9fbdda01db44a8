/* --so: what the workers run.
 * SPDX-License-Identifier: MIT
 *
 * A job comes as the number of its words, and the words, each with a NUL behind it. A function of the
 * plugin interface gets the words as they lie there; one like main as its argv.
 *
 * Standard output of a process is a file in memory, which is emptied into the job's result when the
 * function has returned. The file is kept under a number of our own, too: what the function has made
 * of its descriptor 1 is its own affair.
 */
#include "cmd/map/so_run.h"
#include "os/fd.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    CODE_MASK = 0xff, /* what a parent would see of an exit status */
    PIECE = 64 * 1024,
};

/* Forked workers have it from the tool. */
static struct {
    plait_pool_text_fn *plugin;     /* NULL: it is one like main */
    int (*main)(int argc, char **); /* NULL: it is a plugin's */
    const struct map_options *options;
    int captured; /* the file in memory; -1: none */
} so = { .captured = -1 };

void map_so_run_set(void *function, const struct map_options *options)
{
    so.options = options;
    /* POSIX has it that a pointer of dlsym's may be that of a function; C does not know the cast */
    if (options->argv)
        memcpy(&so.main, &function, sizeof so.main);
    else
        memcpy(&so.plugin, &function, sizeof so.plugin);
}

int map_so_run_prepare(void *unused)
{
    const struct map_options *options = so.options;
    int rc = 0;

    (void)unused;
    if (options->output != MAP_OUTPUT_RAW) {
        so.captured = plait__os_memfd("plait-output");
        if (so.captured < 0)
            rc = so.captured;
        else if (dup2(so.captured, STDOUT_FILENO) < 0)
            rc = -errno;
    }
    if (rc == 0 && options->wd != NULL && chdir(options->wd) < 0)
        rc = -errno;
    if (rc == 0 && options->has_nice && setpriority(PRIO_PROCESS, 0, options->nice) < 0)
        rc = -errno;
    return rc;
}

/* What is in the file in memory, to the result. */
static int copy_captured(plait_task *task, off_t size)
{
    char *piece = malloc(PIECE);
    off_t at = 0;
    int rc = piece != NULL ? 0 : -ENOMEM;

    while (rc == 0 && at < size) {
        ssize_t n = pread(so.captured, piece, PIECE, at);
        if (n > 0) {
            rc = plait_task_write(task, piece, (size_t)n);
            at += n;
        } else if (n == 0 || errno != EINTR) {
            rc = n == 0 ? -EIO : -errno;
        }
    }
    free(piece);
    return rc;
}

/* What the function printed becomes part of what it wrote. */
static int hand_over(plait_task *task)
{
    off_t size;
    int rc = 0;

    if (so.captured < 0)
        return 0;
    while (rc == 0 && fflush(stdout) != 0) /* what could not be written waits still */
        rc = errno == EINTR ? 0 : -errno;
    if (rc < 0)
        __fpurge(stdout); /* the next job's output is not to begin with it */
    size = lseek(so.captured, 0, SEEK_END);
    if (size <= 0)
        return rc;
    if (rc == 0)
        rc = copy_captured(task, size);
    if (ftruncate(so.captured, 0) < 0 || lseek(so.captured, 0, SEEK_SET) < 0)
        rc = rc < 0 ? rc : -errno;
    return rc;
}

/* The words, which main may change, behind the pointers to them. */
static char **make_argv(const char *words, size_t n, uint32_t count)
{
    char **argv = malloc((count + 2) * sizeof *argv + n);
    char *at;

    if (argv == NULL)
        return NULL;
    at = (char *)(argv + count + 2);
    memcpy(at, words, n);
    argv[0] = strrchr(so.options->so, ':') + 1;
    for (uint32_t i = 1; i <= count; i++, at += strlen(at) + 1)
        argv[i] = at;
    argv[count + 1] = NULL;
    return argv;
}

static int run_main(const char *words, size_t n, uint32_t count)
{
    char **argv = make_argv(words, n, count);
    int code;

    if (argv == NULL)
        return -ENOMEM;
    code = so.main((int)count + 1, argv) & CODE_MASK;
    free(argv);
    return code;
}

int map_so_run(plait_task *task, const void *in, size_t n)
{
    const char *words = (const char *)in + sizeof(uint32_t);
    uint32_t count;
    int code, rc;

    memcpy(&count, in, sizeof count);
    n -= sizeof count;
    if (so.plugin != NULL)
        code = so.plugin(task, n > 0 ? words : "", n > 0 ? n - 1 : 0);
    else
        code = run_main(words, n, count);
    rc = hand_over(task);
    return rc < 0 ? plait_task_fail(task, "what it printed could not be kept") : code;
}

int map_so_run_pack(struct plait__buf *ret, const struct map_command *command)
{
    uint32_t count = (uint32_t)(command->argc - 1);
    int rc = plait__buf_add(ret, &count, sizeof count);

    for (size_t i = 1; rc == 0 && i < command->argc; i++)
        rc = plait__buf_add(ret, command->argv[i], strlen(command->argv[i]) + 1);
    return rc;
}
