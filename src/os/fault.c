/* Handlers of faults, and the stacks that they need.
 * SPDX-License-Identifier: MIT
 */
#include "os/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
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
static struct sigaction former;               /* const once it is installed */
static int is_spent;                          /* atomic: it was to be called once */

/* As it would be without us. The return from our handler brings the mask back. */
static void call_former(int number, siginfo_t *info, void *context)
{
    sigset_t own;

    pthread_sigmask(SIG_BLOCK, &former.sa_mask, NULL);
    if (former.sa_flags & SA_NODEFER && !sigismember(&former.sa_mask, number)) {
        sigemptyset(&own);
        sigaddset(&own, number);
        pthread_sigmask(SIG_UNBLOCK, &own, NULL);
    }
    if (former.sa_flags & SA_SIGINFO)
        former.sa_sigaction(number, info, context);
    else
        former.sa_handler(number);
}

/* Our being here changes nothing for the others: the default action comes when the instruction is
 * tried again, and at once where somebody has sent the signal. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    bool is_sent = info->si_code <= 0;
    bool is_ignored = !(former.sa_flags & SA_SIGINFO) && former.sa_handler == SIG_IGN;
    bool is_default = !(former.sa_flags & SA_SIGINFO) && former.sa_handler == SIG_DFL;

    if ((former.sa_flags & SA_RESETHAND) && !is_ignored && !is_default)
        is_default = __atomic_exchange_n(&is_spent, 1, __ATOMIC_SEQ_CST) != 0;
    if (!is_default && !is_ignored) {
        call_former(number, info, context);
    } else if (is_default || !is_sent) { /* a fault cannot be ignored */
        signal(number, SIG_DFL);
        if (is_sent)
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
    struct sigaction action = { .sa_sigaction = handle };

    if (fault_fn != NULL)
        return 0;
    fault_fn = fn;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, NULL, &former) == 0) {
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | (former.sa_flags & SA_RESTART);
        if (sigaction(SIGSEGV, &action, NULL) == 0)
            return 0;
    }
    fault_fn = NULL;
    return -errno;
}
