/* The C library's swapcontext: two system calls, for the signal mask.
 * SPDX-License-Identifier: MIT
 */
#include "switches.h"

#include <ucontext.h>

static ucontext_t here, there;

static int switches_make(void *low, size_t bytes)
{
    if (getcontext(&there) < 0)
        return -errno;
    there.uc_stack.ss_sp = low;
    there.uc_stack.ss_size = bytes;
    makecontext(&there, switches_there, 0);
    return 0;
}

static void switches_go(void)
{
    swapcontext(&here, &there);
}

static void switches_back(void)
{
    swapcontext(&there, &here);
}

int main(int argc, char **argv)
{
    return switches_main(argc, argv);
}
