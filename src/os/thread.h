/* Threads and the program's streams.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_THREAD_H
#define PLAIT__OS_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a thread runs. */
struct plait__thread_entry {
    void (*fn)(void *arg);
    void (*on_exit)(void *arg); /* fn did not return: it called pthread_exit */
    void *arg;
};

/* Starts a thread that runs fn(arg) with all signals blocked: signals stay the host's business.
 * stack_bytes 0: the system's default. *ret is for a join, if it does not detach itself. -EAGAIN (limits),
 * -ENOMEM, -EINVAL (stack size). */
int plait__os_thread_start(uintptr_t *ret, const struct plait__thread_entry *entry,
                           size_t stack_bytes);
/* Until the release, no pthread_cancel of the host's ends the calling thread; what to release. */
int plait__os_thread_hold(void);
void plait__os_thread_release(int held);
/* Waits until the kernel has ended the thread; no cancellation point of pthread's. */
void plait__os_thread_join(uintptr_t thread);
/* The calling thread: nobody will join it. That another thread says so is not safe while it ends: up to
 * glibc 2.36 pthread_detach then looks into what is gone. */
void plait__os_thread_detach_self(void);
/* Has `fn` called in each forked child, also in those that the host forks. */
int plait__os_at_fork_child(void (*fn)(void));
/* Has `fn` called when the calling thread ends, but at the end of the process; the last one first. A
 * few functions for each thread. -ENOMEM, -EAGAIN. */
int plait__os_at_thread_exit(void (*fn)(void));
void plait__os_thread_set_name(const char *name);
/* Bytes of its stack that the calling thread has left, about; 0: the C library does not say. */
size_t plait__os_thread_stack_left(void);
/* The kernel's id of the calling thread. */
pid_t plait__os_thread_id(void);
/* That of another one. 0: the C library does not say, or the thread has ended.
 * pre: it was not joined or detached, and nobody does that meanwhile. */
pid_t plait__os_thread_id_of(uintptr_t thread);

/* Up to max return addresses of the caller, the innermost first: how many. Where the C library has no
 * such call: none. In a signal handler, too, once it has been called outside of one. */
int plait__os_backtrace(void **ret, int max);

/* Flushes stdout and stderr, as far as no other thread holds them; never touches stdin, on which a
 * reader may sleep with its lock held. */
void plait__os_flush_streams(void);

#endif
