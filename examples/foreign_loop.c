/* Coroutines in a program that has a loop of its own: here poll, as well epoll, libuv or GLib.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static int n_left = 3;

/* Ordinary code, which waits as it likes; the program's loop goes on meanwhile. */
static int count_down(void *arg)
{
    for (int i = 0; i < 3; i++)
        plait_sleep(plait_after_ms(*(int *)arg));
    n_left--;
    return 0;
}

int main(int argc, char **argv)
{
    static int ms[] = { 1, 2, 3 };
    struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
    int pipe_fds[2], n_bytes = 0, rc = plait_init(&argc, &argv);
    char byte;

    if (rc < 0 || pipe(pipe_fds) < 0 || write(pipe_fds[1], "abc", 3) != 3)
        return 1;
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = plait_go(count_down, &ms[i]);
    fds[0].fd = plait_loop_fd(); /* readable when coroutines have something to do */
    fds[1].fd = pipe_fds[0];     /* the program's own business */
    while (rc == 0 && n_left > 0) {
        if (fds[0].fd < 0 || poll(fds, 2, -1) < 0)
            return 1;
        if (fds[0].revents != 0)
            plait_loop_run(PLAIT_NOWAIT); /* does it, and comes back */
        if (fds[1].revents != 0 && n_bytes < 3)
            n_bytes += (int)read(pipe_fds[0], &byte, 1);
        if (n_bytes == 3)
            fds[1].fd = -1;
    }
    printf("%d bytes, %d coroutines left\n", n_bytes, n_left);
    return rc < 0;
}

/* prints:
 * 3 bytes, 0 coroutines left
 */
