/* Contexts on x86-64: where they begin, and a walk over one.
 * SPDX-License-Identifier: MIT
 */
#include "os/context_machine.h"

#ifdef PLAIT__CONTEXT_X86_64
#    include "os/context_x86_64.h"

#    ifdef __GLIBC__
#        include <execinfo.h>
#    endif

_Static_assert(offsetof(struct plait__context_cpu, sp) == 0, "the assembly's");
_Static_assert(offsetof(struct plait__context_cpu, ip) == 8, "the assembly's");
_Static_assert(offsetof(struct plait__context_cpu, fp) == 16, "the assembly's");
_Static_assert(offsetof(struct plait__context_cpu, bp) == 24, "the assembly's");

enum {
    FRAMES = 64 /* at most so many are told */
};

/* Calls walk(ret, max) as if the parked context had: what it finds above itself is that one's. */
int plait__context_walk(const struct plait__context_cpu *parked, void **ret, int max,
                        int (*walk)(void **ret, int max));
void plait__context_walked(void); /* where that call returns to */

__asm__(".pushsection .text\n"
        ".p2align 4\n"
        ".globl plait__context_entry\n"
        ".hidden plait__context_entry\n"
        ".type plait__context_entry, @function\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined rip\n"
        "    nop\n" /* unwinders look one byte before */
        "plait__context_entry:\n"
        "    movq 8(%rsp), %rdi\n"
        "    callq *(%rsp)\n"
        "    movq 0(%rax), %rsp\n"
        "    movq 16(%rax), %rbp\n"
        "    movq 24(%rax), %rbx\n"
        "    jmpq *8(%rax)\n"
        "    .cfi_endproc\n"
        ".size plait__context_entry, .-plait__context_entry\n"
        "\n"
        ".p2align 4\n"
        ".globl plait__context_walk\n"
        ".hidden plait__context_walk\n"
        ".type plait__context_walk, @function\n"
        "plait__context_walk:\n"
        "    .cfi_startproc\n"
        "    pushq %rbx\n"
        "    .cfi_def_cfa_offset 16\n"
        "    .cfi_offset rbx, -16\n"
        "    movq %rdi, %rbx\n"
        "    movq %rsi, %rdi\n"
        "    movl %edx, %esi\n"
        "    .cfi_remember_state\n"
        /* the caller's frame begins at *rbx; rip, rbp and rbx are at 8, 16 and 24 from rbx */
        "    .cfi_escape 0x0f, 3, 0x73, 0, 0x06\n"
        "    .cfi_escape 0x10, 16, 2, 0x73, 8\n"
        "    .cfi_escape 0x10, 6, 2, 0x73, 16\n"
        "    .cfi_escape 0x10, 3, 2, 0x73, 24\n"
        "    callq *%rcx\n"
        ".globl plait__context_walked\n"
        ".hidden plait__context_walked\n"
        "plait__context_walked:\n"
        "    .cfi_restore_state\n"
        "    popq %rbx\n"
        "    .cfi_def_cfa_offset 8\n"
        "    .cfi_restore rbx\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size plait__context_walk, .-plait__context_walk\n"
        ".popsection\n");

int plait__context_trace(const struct plait__context_cpu *parked, void **ret, int max)
{
    int n = 0;

#    ifdef __GLIBC__
    void *found[FRAMES + 4]; /* a sanitizer's wrapper and the walk come first */
    int all = plait__context_walk(parked, found, FRAMES + 4, backtrace), i = 0;
    while (i < all && found[i] != (void *)(uintptr_t)plait__context_walked)
        i++;
    while (++i < all && n < max)
        ret[n++] = found[i];
#    else
    if (max > 0)
        ret[n++] = parked->ip;
#    endif
    return n;
}
#endif
