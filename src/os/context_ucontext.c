/* Contexts on other machines, by the C library.
 * SPDX-License-Identifier: MIT
 */
#include "os/context_machine.h"

#ifdef PLAIT__CONTEXT_BY_LIBC
#    include "os/context_ucontext.h"

#    include <stdint.h>

/* makecontext(3) passes ints. */
static void enter(unsigned high, unsigned low)
{
    struct plait__context_cpu *self =
        (struct plait__context_cpu *)(uintptr_t)((uint64_t)high << 32 | low);

    plait__context_jump((struct plait__context_cpu *)(void *)self->fn(self->arg)); /* its first */
}

void plait__context_prepare(struct plait__context_cpu *ret, void *low, size_t bytes,
                            struct plait__context *(*fn)(void *arg), void *arg)
{
    uint64_t self = (uintptr_t)ret;

    getcontext(&ret->registers);
    ret->registers.uc_stack.ss_sp = low;
    ret->registers.uc_stack.ss_size = bytes;
    ret->fn = fn;
    ret->arg = arg;
    makecontext(&ret->registers, (void (*)(void))enter, 2, (unsigned)(self >> 32), (unsigned)self);
}

int plait__context_trace(const struct plait__context_cpu *parked, void **ret, int max)
{
    (void)parked;
    (void)ret;
    (void)max;
    return 0; /* where its registers are is the C library's secret */
}
#endif
