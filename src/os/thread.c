/* Threads and the program's streams.
 * SPDX-License-Identifier: MIT
 */
#include "os/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#    include <execinfo.h>
#endif

static void *enter(void *arg)
{
    struct plait__thread_entry entry = *(struct plait__thread_entry *)arg;

    free(arg);
    pthread_cleanup_push(entry.on_exit, entry.arg);
    entry.fn(entry.arg);
    pthread_cleanup_pop(0);
    return NULL;
}

int plait__os_thread_start(uintptr_t *ret, const struct plait__thread_entry *entry,
                           size_t stack_bytes)
{
    struct plait__thread_entry *copy = malloc(sizeof *copy);
    pthread_attr_t attr;
    pthread_t thread = 0;
    sigset_t all, old;
    int rc;

    if (copy == NULL)
        return -ENOMEM;
    *copy = *entry;
    rc = pthread_attr_init(&attr);
    if (rc != 0) {
        free(copy);
        return -rc;
    }
    if (stack_bytes > 0)
        rc = pthread_attr_setstacksize(&attr, stack_bytes);
    if (rc == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        rc = pthread_create(&thread, &attr, enter, copy);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        free(copy);
        return -rc;
    }
    *ret = (uintptr_t)thread;
    return 0;
}

int plait__os_thread_hold(void)
{
    int old;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    return old;
}

void plait__os_thread_release(int held)
{
    pthread_setcancelstate(held, NULL);
}

void plait__os_thread_join(uintptr_t thread)
{
    int held = plait__os_thread_hold();

    pthread_join((pthread_t)thread, NULL);
    plait__os_thread_release(held);
}

void plait__os_thread_detach_self(void)
{
    pthread_detach(pthread_self());
}

int plait__os_at_fork_child(void (*fn)(void))
{
    return -pthread_atfork(NULL, NULL, fn);
}

static pthread_key_t exit_key;
static int exit_key_error; /* before the first call is over */

enum {
    EXITS_MOST = 4
};

static _Thread_local void (*at_exit[EXITS_MOST])(void);
static _Thread_local unsigned n_at_exit;

/* Also those that are added meanwhile. */
static void call_at_exit(void *arg)
{
    (void)arg;
    while (n_at_exit > 0)
        at_exit[--n_at_exit]();
}

static void make_exit_key(void)
{
    exit_key_error = pthread_key_create(&exit_key, call_at_exit);
}

int plait__os_at_thread_exit(void (*fn)(void))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int rc;

    pthread_once(&once, make_exit_key);
    if (exit_key_error != 0 || n_at_exit == EXITS_MOST)
        return exit_key_error != 0 ? -exit_key_error : -ENOMEM;
    rc = -pthread_setspecific(exit_key, at_exit); /* not NULL */
    if (rc == 0)
        at_exit[n_at_exit++] = fn;
    return rc;
}

void plait__os_thread_set_name(const char *name)
{
    char cut[16];

    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

size_t plait__os_thread_stack_left(void)
{
    const char *here = __builtin_frame_address(0);
    pthread_attr_t attr;
    void *lowest = NULL;
    size_t bytes = 0;

    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return 0;
    if (pthread_attr_getstack(&attr, &lowest, &bytes) != 0)
        lowest = NULL;
    pthread_attr_destroy(&attr);
    return lowest != NULL && here > (char *)lowest ? (size_t)(here - (char *)lowest) : 0;
}

pid_t plait__os_thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

pid_t plait__os_thread_id_of(uintptr_t thread)
{
    /* the kernel's number for a thread's CPU clock: the id, inverted, above these three bits */
    enum {
        THREAD_CLOCK = 6
    };

    clockid_t clock;

    if (pthread_getcpuclockid((pthread_t)thread, &clock) != 0 || (clock & 7) != THREAD_CLOCK)
        return 0;
    return (pid_t) ~(clock >> 3);
}

int plait__os_backtrace(void **ret, int max)
{
#ifdef __GLIBC__
    return backtrace(ret, max);
#else
    (void)ret;
    (void)max;
    return 0;
#endif
}

static void flush_if_free(FILE *stream)
{
    /* nothing to flush: not even its lock is touched, which in a fork costs the copy of a page */
    if (__fpending(stream) == 0 || ftrylockfile(stream) != 0)
        return;
    fflush(stream); /* an error stays in the stream's error flag, for whoever asks it */
    funlockfile(stream);
}

void plait__os_flush_streams(void)
{
    flush_if_free(stdout);
    flush_if_free(stderr);
}
