/* Contexts on aarch64: where they begin, and a walk over one.
 * SPDX-License-Identifier: MIT
 */
#include "os/context_machine.h"

#ifdef PLAIT__CONTEXT_AARCH64
#    include "os/context_aarch64.h"

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
        ".type plait__context_entry, %function\n"
        "    .cfi_startproc\n"
        "    .cfi_undefined x30\n"
        "    nop\n" /* unwinders look one byte before */
        "plait__context_entry:\n"
        "    hint #36\n" /* as at the end of a switch */
        "    ldp x9, x0, [sp]\n"
        "    blr x9\n"
        "    ldp x10, x9, [x0]\n"
        "    ldp x29, x19, [x0, #16]\n"
        "    mov sp, x10\n"
        "    br x9\n"
        "    .cfi_endproc\n"
        ".size plait__context_entry, .-plait__context_entry\n"
        "\n"
        ".p2align 4\n"
        ".globl plait__context_walk\n"
        ".hidden plait__context_walk\n"
        ".type plait__context_walk, %function\n"
        "plait__context_walk:\n"
        "    .cfi_startproc\n"
        "    hint #34\n" /* "bti c" */
        "    stp x29, x30, [sp, #-32]!\n"
        "    .cfi_def_cfa_offset 32\n"
        "    .cfi_offset x29, -32\n"
        "    .cfi_offset x30, -24\n"
        "    str x19, [sp, #16]\n"
        "    .cfi_offset x19, -16\n"
        "    mov x29, sp\n"
        "    mov x19, x0\n"
        "    mov x0, x1\n"
        "    mov w1, w2\n"
        "    .cfi_remember_state\n"
        /* the caller's frame begins at *x19; x30, x29 and x19 are at 8, 16 and 24 from x19 */
        "    .cfi_escape 0x0f, 3, 0x83, 0, 0x06\n"
        "    .cfi_escape 0x10, 30, 2, 0x83, 8\n"
        "    .cfi_escape 0x10, 29, 2, 0x83, 16\n"
        "    .cfi_escape 0x10, 19, 2, 0x83, 24\n"
        "    blr x3\n"
        ".globl plait__context_walked\n"
        ".hidden plait__context_walked\n"
        "plait__context_walked:\n"
        "    .cfi_restore_state\n"
        "    ldr x19, [sp, #16]\n"
        "    ldp x29, x30, [sp], #32\n"
        "    .cfi_def_cfa_offset 0\n"
        "    .cfi_restore x19\n"
        "    .cfi_restore x29\n"
        "    .cfi_restore x30\n"
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
