/* Threads and the program's streams.
 * SPDX-License-Identifier: MIT
 */
#include "os/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct start {
    void (*fn)(void *arg);
    void *arg;
};

static void *enter(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    start.fn(start.arg);
    return NULL;
}

int plait__os_thread_start(void (*fn)(void *arg), void *arg, size_t stack_bytes)
{
    struct start *start = malloc(sizeof *start);
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    int rc;

    if (start == NULL)
        return -ENOMEM;
    *start = (struct start){ .fn = fn, .arg = arg };
    rc = pthread_attr_init(&attr);
    if (rc != 0) {
        free(start);
        return -rc;
    }
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (stack_bytes > 0)
        rc = pthread_attr_setstacksize(&attr, stack_bytes);
    if (rc == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        rc = pthread_create(&thread, &attr, enter, start);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    pthread_attr_destroy(&attr);
    if (rc != 0)
        free(start);
    return -rc;
}

void plait__os_thread_set_name(const char *name)
{
    char cut[16];

    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

pid_t plait__os_thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

static void flush_if_free(FILE *stream)
{
    if (ftrylockfile(stream) != 0)
        return;
    fflush(stream); /* an error stays in the stream's error flag, for whoever asks it */
    funlockfile(stream);
}

void plait__os_flush_streams(void)
{
    flush_if_free(stdout);
    flush_if_free(stderr);
}
