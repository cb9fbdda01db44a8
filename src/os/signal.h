/* Signals, for processes that are ours (the keeper, the tool). The library changes nothing of the
 * host's. SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_SIGNAL_H
#define PLAIT__OS_SIGNAL_H

#include <stdint.h>
#include <sys/types.h>

/* Bit n-1: signal n is ignored in this process. */
uint64_t plait__os_signals_ignored(void);

/* Bit n-1: signal n is blocked in the calling thread. */
uint64_t plait__os_signals_blocked(void);

/* Bit n-1: signal n is pending, for the calling thread or the process. */
uint64_t plait__os_signals_pending(void);

/* In a child that runs our code only: handlers of the host are taken away (default action),
 * `ignored` are ignored, nothing is blocked but `blocked`. Both are sets of bits as above. */
void plait__os_signals_own(uint64_t ignored, uint64_t blocked);

/* Blocks those signals, a set of bits, in the calling thread, and no others. */
void plait__os_signals_set_blocked(uint64_t blocked);
/* In a child of a process that is ours: those signals get their default action, nothing is blocked.
 */
void plait__os_signals_default(uint64_t signals);

/* Blocks those signals in the calling thread and gives a descriptor that is readable when one came.
 * -errno. */
int plait__os_signal_fd(uint64_t signals);
/* The next signal that came: its number; 0: none · -errno. Never blocks. */
int plait__os_signal_read(int fd);

/* Has fn called, asynchronously, whenever the signal comes; errno is kept. For programs that ask for it.
 * -EBUSY: there is a handler that is not ours; -EINVAL. */
int plait__os_on_signal(int number, void (*fn)(void));

/* The same for one of the real-time signals that the program has no use for: its number. -EBUSY. */
int plait__os_on_free_signal(void (*fn)(void));
/* Sends one to a thread of this process. 0 or -errno. */
int plait__os_thread_signal(pid_t thread, int number);

/* Ignores a signal in this process. */
void plait__os_ignore(int number);
/* Stops this process as SIGTSTP would; returns when it was continued. */
void plait__os_stop_self(void);

static inline uint64_t plait__signal_bit(int number)
{
    return UINT64_C(1) << (number - 1);
}

#endif
