/* posix_spawn with pipes, poll, read, write, waitpid: what a C programmer writes by hand.
 * SPDX-License-Identifier: MIT
 */
#include "feed.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROOM = 64 * 1024
};

struct output {
    char *bytes;
    size_t n, cap;
};

/* 1: there may be more; 0: the end. */
static int take(int fd, struct output *output)
{
    if (output->cap - output->n < ROOM) {
        output->cap = output->cap * 2 + ROOM;
        output->bytes = realloc(output->bytes, output->cap);
        if (output->bytes == NULL)
            return -ENOMEM;
    }
    ssize_t n = read(fd, output->bytes + output->n, output->cap - output->n);
    output->n += n > 0 ? (size_t)n : 0;
    return n > 0 ? 1 : n < 0 ? -errno : 0;
}

static int talk(int in, const int outs[2], const char *input, size_t n_input,
                struct output outputs[2])
{
    struct pollfd fds[3] = { { .fd = in, .events = POLLOUT },
                             { .fd = outs[0], .events = POLLIN },
                             { .fd = outs[1], .events = POLLIN } };

    while (fds[0].fd >= 0 || fds[1].fd >= 0 || fds[2].fd >= 0) {
        if (poll(fds, 3, -1) < 0)
            return -errno;
        if (fds[0].fd >= 0 && fds[0].revents != 0) {
            ssize_t n = write(in, input, n_input);
            input += n > 0 ? n : 0;
            n_input = n > 0 ? n_input - (size_t)n : 0;
            if (n_input == 0) {
                close(in);
                fds[0].fd = -1;
            }
        }
        for (int i = 0; i < 2; i++)
            if (fds[i + 1].fd >= 0 && fds[i + 1].revents != 0) {
                int rc = take(outs[i], &outputs[i]);
                if (rc < 0)
                    return rc;
                if (rc == 0)
                    fds[i + 1].fd = -1;
            }
    }
    return 0;
}

/* input NULL: the program has our standard input. */
static int run_program(char *const *argv, const char *input, size_t n_input,
                       struct output outputs[2])
{
    posix_spawn_file_actions_t actions;
    int in[2] = { -1, -1 }, out[2], err[2], rc, status = 0;
    pid_t pid = -1;

    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
        (input != NULL && pipe2(in, O_CLOEXEC) < 0))
        return -errno;
    posix_spawn_file_actions_init(&actions);
    if (input != NULL)
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    rc = -posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    if (input != NULL) {
        close(in[0]);
        fcntl(in[1], F_SETFL, O_NONBLOCK);
    }
    if (rc == 0)
        rc = talk(in[1], (int[]){ out[0], err[0] }, input, n_input, outputs);
    close(out[0]);
    close(err[0]);
    if (rc == 0 && waitpid(pid, &status, 0) != pid)
        rc = -errno;
    return rc < 0 ? rc : status;
}

static int finish(struct output outputs[2], int rc)
{
    free(outputs[0].bytes);
    free(outputs[1].bytes);
    return rc;
}

static int run(void)
{
    char *argv[] = { (char[]){ "/bin/echo" }, (char[]){ "hello" }, NULL };
    struct output outputs[2] = { { 0 }, { 0 } };
    int rc = run_program(argv, NULL, 0, outputs);

    if (rc == 0 && (outputs[0].n != 6 || memcmp(outputs[0].bytes, "hello\n", 6) != 0))
        rc = -EIO;
    return finish(outputs, rc);
}

static int cat(void)
{
    char *argv[] = { (char[]){ "/bin/cat" }, NULL };
    struct output outputs[2] = { { 0 }, { 0 } };
    int rc = run_program(argv, feed_make(), FEED_BYTES, outputs);

    if (rc == 0)
        rc = feed_check(outputs[0].bytes, outputs[0].n);
    return finish(outputs, rc);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "subprocess/run", run },
        { "subprocess/cat-64MiB", cat },
    };

    signal(SIGPIPE, SIG_IGN);
    return feed_make() == NULL ? 1 : bench_main(argc, argv, cases, 2);
}
