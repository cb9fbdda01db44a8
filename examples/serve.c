/* Serve until SIGTERM: one task takes what comes in by a descriptor, and ends when it is told to.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* 0: go on; 1: it is over. */
static int serve_one(const plait_waitable on[2], int fd, size_t *ret_n)
{
    char bytes[64];
    ssize_t which = plait_select(on, 2, PLAIT_FOREVER), n;

    if (which != 0)
        return which == 1 ? 1 : (int)which;
    n = read(fd, bytes, sizeof bytes);
    *ret_n += n > 0 ? (size_t)n : 0;
    return n > 0 ? 0 : 1;
}

/* Somebody out there. */
static int visit(void *arg)
{
    int fd = *(int *)arg;

    for (int i = 0; i < 3; i++) {
        plait_sleep(plait_after_ms(1));
        if (plait_fd_wait(fd, PLAIT_WRITABLE, PLAIT_FOREVER) < 0 || write(fd, "hello", 5) != 5)
            return 1;
    }
    return kill(getpid(), SIGTERM);
}

int main(int argc, char **argv)
{
    plait_waitable on[2];
    size_t n_bytes = 0;
    int fds[2], rc = plait_init(&argc, &argv);
    sigset_t set;

    /* the signal is waited for, and not handled: blocked before there is a second thread */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);

    if (rc == 0 && pipe(fds) == 0)
        rc = plait_on_fd(&on[0], fds[0], PLAIT_READABLE);
    if (rc == 0)
        rc = plait_on_signal(&on[1], SIGTERM);
    if (rc == 0)
        rc = plait_go(visit, &fds[1]);
    while (rc == 0)
        rc = serve_one(on, fds[0], &n_bytes);
    if (rc == 1 && plait_signal_wait((int[]){ SIGTERM }, 1, PLAIT_NOWAIT) == SIGTERM)
        printf("%zu bytes, and then SIGTERM\n", n_bytes);
    return rc < 0;
}

/* prints:
 * 15 bytes, and then SIGTERM
 */
