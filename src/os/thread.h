/* Threads and the program's streams.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_THREAD_H
#define PLAIT__OS_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Starts a detached thread that runs fn(arg) with all signals blocked: signals stay the host's
 * business. stack_bytes 0: the system's default. -EAGAIN (limits), -ENOMEM, -EINVAL (stack size).
 * `name` is cut to 15 bytes. */
int plait__os_thread_start(void (*fn)(void *arg), void *arg, size_t stack_bytes);
void plait__os_thread_set_name(const char *name);
/* The kernel's id of the calling thread. */
pid_t plait__os_thread_id(void);

/* Flushes stdout and stderr, as far as no other thread holds them; never touches stdin, on which a
 * reader may sleep with its lock held. */
void plait__os_flush_streams(void);

#endif
