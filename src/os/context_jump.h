/* A context where the switch is a jump: what the machines have in common.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_CONTEXT_JUMP_H
#define PLAIT__OS_CONTEXT_JUMP_H

#include <stddef.h>
#include <stdint.h>

struct plait__context;

/* The assembly knows the order of these. */
struct plait__context_cpu {
    void *sp;
    void *ip; /* where it goes on */
    void *fp;
    void *bp; /* the base pointer of a frame that is aligned more strictly */
};

/* At the top of a new stack. */
struct plait__first_call {
    struct plait__context *(*fn)(void *arg);
    void *arg;
};

/* Where a context begins and ends: the stack pointer is at a struct plait__first_call. Nobody called it:
 * unwinders stop here. What fn returns begins with a struct plait__context_cpu. */
void plait__context_entry(void);

/* fn(arg) begins on that stack. */
static inline void plait__context_prepare(struct plait__context_cpu *ret, void *low, size_t bytes,
                                          struct plait__context *(*fn)(void *arg), void *arg)
{
    uintptr_t top = ((uintptr_t)low + bytes) & ~(uintptr_t)15;
    struct plait__first_call *first = (struct plait__first_call *)(top - sizeof *first);

    *first = (struct plait__first_call){ .fn = fn, .arg = arg };
    *ret =
        (struct plait__context_cpu){ .sp = first, .ip = (void *)(uintptr_t)plait__context_entry };
}

/* Up to max return addresses, the innermost first: how many. */
int plait__context_trace(const struct plait__context_cpu *parked, void **ret, int max);

#endif
