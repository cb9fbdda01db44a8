/* The usual switch, for x86-64: a function that pushes what it must keep, changes the stack pointer, and
 * returns to where the other one called it. That return is predicted wrong.
 * SPDX-License-Identifier: MIT
 */
#include "switches.h"

#include <stdint.h>

void limit_switch(void **from, void *to);

__asm__(".pushsection .text\n"
        ".globl limit_switch\n"
        "limit_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".popsection\n");

static void *here, *there;

static int switches_make(void *low, size_t bytes)
{
    uintptr_t *top = (uintptr_t *)(void *)((char *)low + bytes - 64);

    *top = 0; /* where it would return to */
    top[-1] = (uintptr_t)switches_there;
    there = top - 7; /* six registers */
    return 0;
}

static void switches_go(void)
{
    limit_switch(&here, there);
}

static void switches_back(void)
{
    limit_switch(&there, here);
}

int main(int argc, char **argv)
{
    return switches_main(argc, argv);
}
