/* Handlers of faults, and the stacks that they need.
 * SPDX-License-Identifier: MIT
 */
#include "os/fault.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

enum {
    ALT_STACK_BYTES =
        64 << 10 /* a frame with all registers takes some; names are looked up there */
};

static _Thread_local void *own_alt_stack;

int plait__os_alt_stack(void)
{
    stack_t stack;
    void *memory;

    if (sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE))
        return 0;
    memory =
        mmap(NULL, ALT_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    stack = (stack_t){ .ss_sp = memory, .ss_size = ALT_STACK_BYTES };
    if (sigaltstack(&stack, NULL) < 0) {
        munmap(memory, ALT_STACK_BYTES);
        return -ENOMEM;
    }
    own_alt_stack = memory;
    return 0;
}

void plait__os_alt_stack_fini(void)
{
    stack_t stack, none = { .ss_flags = SS_DISABLE };

    if (own_alt_stack == NULL)
        return;
    if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp == own_alt_stack)
        sigaltstack(&none, NULL);
    munmap(own_alt_stack, ALT_STACK_BYTES);
    own_alt_stack = NULL;
}

static void (*fault_fn)(const void *address); /* set before the handler */
static struct sigaction former;

/* Our being here changes nothing for the others: the default action comes when the instruction is
 * tried again. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    if (former.sa_flags & SA_SIGINFO)
        former.sa_sigaction(number, info, context);
    else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN)
        former.sa_handler(number);
    else {
        sigaction(number, &former, NULL);
        if (info->si_code <= 0) /* somebody has sent it: nothing is tried again */
            raise(number);
    }
}

static void handle(int number, siginfo_t *info, void *context)
{
    int error = errno;

    if (info->si_code > 0)
        fault_fn(info->si_addr);
    errno = error;
    pass_on(number, info, context);
}

int plait__os_on_fault(void (*fn)(const void *address))
{
    struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    if (fault_fn != NULL)
        return 0;
    fault_fn = fn;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, NULL, &former) == 0 && sigaction(SIGSEGV, &action, NULL) == 0)
        return 0;
    fault_fn = NULL;
    return -errno;
}
