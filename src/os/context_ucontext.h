/* The switch on machines whose registers we do not know: by the C library, with two system calls.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_CONTEXT_UCONTEXT_H
#define PLAIT__OS_CONTEXT_UCONTEXT_H

#include <stddef.h>
#include <ucontext.h>

struct plait__context;

struct plait__context_cpu {
    ucontext_t registers;
    struct plait__context *(*fn)(void *arg);
    void *arg;
};

/* fn(arg) begins on that stack. */
void plait__context_prepare(struct plait__context_cpu *ret, void *low, size_t bytes,
                            struct plait__context *(*fn)(void *arg), void *arg);
/* Up to max return addresses, the innermost first: how many. */
int plait__context_trace(const struct plait__context_cpu *parked, void **ret, int max);

static inline void __attribute__((always_inline))
plait__context_swap(struct plait__context_cpu *from, struct plait__context_cpu *to)
{
    swapcontext(&from->registers, &to->registers);
}

static inline void __attribute__((always_inline, noreturn))
plait__context_jump(struct plait__context_cpu *to)
{
    setcontext(&to->registers);
    __builtin_unreachable();
}

#endif
