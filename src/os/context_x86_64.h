/* The switch on x86-64.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_CONTEXT_X86_64_H
#define PLAIT__OS_CONTEXT_X86_64_H

#include "os/context_jump.h"

#ifdef __AVX512F__
#    define PLAIT__CONTEXT_AVX512                                                                  \
        , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",         \
            "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", \
            "k5", "k6", "k7"
#else
#    define PLAIT__CONTEXT_AVX512
#endif

/* Nothing is pushed: what lies below the stack pointer may be in use. */
static inline void __attribute__((always_inline))
plait__context_swap(struct plait__context_cpu *from, struct plait__context_cpu *to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%%rdi)\n\t"
                     "movq %%rax, 8(%%rdi)\n\t"
                     "movq %%rbp, 16(%%rdi)\n\t"
                     "movq %%rbx, 24(%%rdi)\n\t"
                     "movq 0(%%rsi), %%rsp\n\t"
                     "movq 16(%%rsi), %%rbp\n\t"
                     "movq 24(%%rsi), %%rbx\n\t"
                     "jmpq *8(%%rsi)\n\t"
                     "1:"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)",
                       "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "fpsr", "cc",
                       "memory" PLAIT__CONTEXT_AVX512);
}

static inline void __attribute__((always_inline, noreturn))
plait__context_jump(struct plait__context_cpu *to)
{
    __asm__ volatile("movq 0(%%rsi), %%rsp\n\t"
                     "movq 16(%%rsi), %%rbp\n\t"
                     "movq 24(%%rsi), %%rbx\n\t"
                     "jmpq *8(%%rsi)"
                     :
                     : "S"(to)
                     : "memory");
    __builtin_unreachable();
}

#endif
