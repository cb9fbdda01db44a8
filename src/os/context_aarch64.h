/* The switch on aarch64.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_CONTEXT_AARCH64_H
#define PLAIT__OS_CONTEXT_AARCH64_H

#include "os/context_jump.h"

#ifdef __ARM_FEATURE_SVE
#    define PLAIT__CONTEXT_SVE                                                                    \
        , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", \
            "p14", "p15", "ffr"
#else
#    define PLAIT__CONTEXT_SVE
#endif

/* hint #36 is "bti j": the target of a jump where branches are checked, nothing elsewhere. */
static inline void __attribute__((always_inline))
plait__context_swap(struct plait__context_cpu *from, struct plait__context_cpu *to)
{
    register struct plait__context_cpu *from_x0 __asm__("x0") = from;
    register struct plait__context_cpu *to_x1 __asm__("x1") = to;

    __asm__ volatile("adr x9, 1f\n\t"
                     "mov x10, sp\n\t"
                     "stp x10, x9, [x0]\n\t"
                     "stp x29, x19, [x0, #16]\n\t"
                     "ldp x10, x9, [x1]\n\t"
                     "ldp x29, x19, [x1, #16]\n\t"
                     "mov sp, x10\n\t"
                     "br x9\n"
                     "1:\n\t"
                     "hint #36"
                     : "+r"(from_x0), "+r"(to_x1)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x20", "x21", "x22", "x23", "x24", "x25",
                       "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
                       "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31", "cc", "memory" PLAIT__CONTEXT_SVE);
}

static inline void __attribute__((always_inline, noreturn))
plait__context_jump(struct plait__context_cpu *to)
{
    register struct plait__context_cpu *to_x1 __asm__("x1") = to;

    __asm__ volatile("ldp x10, x9, [x1]\n\t"
                     "ldp x29, x19, [x1, #16]\n\t"
                     "mov sp, x10\n\t"
                     "br x9"
                     :
                     : "r"(to_x1)
                     : "memory");
    __builtin_unreachable();
}

#endif
