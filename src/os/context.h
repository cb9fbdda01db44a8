/* Stackful contexts: leaving one stack for another.
 * SPDX-License-Identifier: MIT
 *
 * A context is a stack and the place where it goes on. The switch is inline and tells the compiler
 * that every register is lost, so that the compiler saves what is alive at that place and no more;
 * what it cannot be told about (stack and frame pointer, the base pointer of some frames) is kept in
 * the context. It jumps: a return would be predicted wrong each time. The end of a context is a return,
 * for the same reason: processors predict one by the call before it, and after a call that never
 * returned those of whoever goes on would be wrong. The floating-point control words stay the
 * thread's, as across any call.
 *
 * A context stays with its thread and at its address. errno is the caller's to keep.
 */
#ifndef PLAIT__OS_CONTEXT_H
#define PLAIT__OS_CONTEXT_H

#include "os/context_machine.h"
#include "os/sanitize.h"

#if defined(PLAIT__CONTEXT_X86_64)
#    include "os/context_x86_64.h"
#elif defined(PLAIT__CONTEXT_AARCH64)
#    include "os/context_aarch64.h"
#else
#    include "os/context_ucontext.h"
#endif

#include <stdbool.h>
#include <stddef.h>

#ifdef PLAIT__ASAN
#    include <sanitizer/common_interface_defs.h>
#endif
#ifdef PLAIT__TSAN
#    include <sanitizer/tsan_interface.h>
#endif

/* What a context runs, and then where to go on: as soon as that runs, the stack may be another's, and
 * the context that has ended may be forgotten. */
typedef struct plait__context *plait__context_fn(void *arg);

struct plait__context {
    struct plait__context_cpu cpu; /* first; while parked: what the machine goes on with */
    unsigned tag;                  /* valgrind's number of the stack plus one; 0: none */
#if defined(PLAIT__ASAN) || defined(PLAIT__TSAN)
    plait__context_fn *fn;
    void *arg;
#endif
#ifdef PLAIT__ASAN
    const void *low; /* of the stack */
    size_t bytes;
#endif
#ifdef PLAIT__TSAN
    void *fiber;
    bool owns_fiber; /* a thread's is the thread's */
#endif
};

/* The context that stands for this thread's own stack: what is switched away from at first. */
void plait__context_of_thread(struct plait__context *ret);
/* A context on the stack low … low + bytes: fn(arg) begins when it is first switched to. */
void plait__context_make(struct plait__context *ret, void *low, size_t bytes, plait__context_fn *fn,
                         void *arg);
/* One that has ended begins anew: as plait__context_make, with the same arguments. */
#if defined(PLAIT__ASAN) || defined(PLAIT__TSAN)
void plait__context_again(struct plait__context *ended, void *low, size_t bytes,
                          plait__context_fn *fn, void *arg);
#else
static inline void plait__context_again(struct plait__context *ended, void *low, size_t bytes,
                                        plait__context_fn *fn, void *arg)
{
    plait__context_prepare(&ended->cpu, low, bytes, fn, arg);
}
#endif
/* Forgets a context that is not running, also one that never began. Its stack is not freed. */
void plait__context_fini(struct plait__context *context);

/* Up to max (and at most 64) return addresses of a parked context, the innermost first: how many. For
 * any thread that keeps it parked meanwhile. Without glibc: the innermost alone; on unknown machines:
 * none. */
int plait__context_backtrace(const struct plait__context *parked, void **ret, int max);

/* Never called. A compiler that looks into a function with assembly in it concludes that static
 * variables of its file are after it what they were before (gcc's -fipa-reference, whatever the
 * assembly says it clobbers); one that sees a call into another file does not. This is an edge to
 * such a call, and no instruction. */
void plait__context_anything(void);
#define PLAIT__CONTEXT_MAY_DO_ANYTHING(label) __asm__ goto("" : : : "memory" : label)

/* Leaves `from`, which is filled, and goes on in `to`. Comes back when somebody switches to `from`. */
static inline void __attribute__((always_inline))
plait__context_switch(struct plait__context *from, struct plait__context *to)
{
#ifdef PLAIT__ASAN
    void *frames; /* the sanitizer's, of this stack */

    __sanitizer_start_switch_fiber(&frames, to->low, to->bytes);
#endif
#ifdef PLAIT__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    PLAIT__CONTEXT_MAY_DO_ANYTHING(anything);
    plait__context_swap(&from->cpu, &to->cpu);
#ifdef PLAIT__ASAN
    __sanitizer_finish_switch_fiber(frames, NULL, NULL);
#endif
    return;
anything:
    plait__context_anything();
}

#endif
