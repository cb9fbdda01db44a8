/* A bank account that two processes share. One of them is killed in the middle of a payment: the
 * lock that it held is not lost, and the next one is told.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

struct account {
    plait_lock lock;
    long balance; /* lock */
    long pending; /* lock: not 0 in the middle of a payment only */
};

/* What a killed holder had begun is undone. */
static void repair(struct account *account)
{
    printf("a payment of %ld was cut off\n", account->pending);
    account->pending = 0;
}

/* 0, or a negative code: then we do not hold the lock, and nothing was paid. */
static int pay_in(struct account *account, long amount, bool dies)
{
    int rc = plait_lock_acquire(&account->lock, PLAIT_FOREVER);

    if (rc == -EOWNERDEAD && (rc = plait_lock_recover(&account->lock, PLAIT_FOREVER)) == 0) {
        repair(account);
        plait_lock_repaired(&account->lock); /* else the next one is told again */
    }
    if (rc < 0)
        return rc;
    account->pending = amount;
    if (dies)
        raise(SIGKILL);
    account->balance += account->pending;
    account->pending = 0;
    return plait_lock_release(&account->lock);
}

static int pay_and_die(void *arg)
{
    return pay_in(arg, 1000, true);
}

int main(int argc, char **argv)
{
    struct account *account;
    plait_task *task = NULL;
    plait_outcome end;
    int rc = plait_init(&argc, &argv);

    account = plait_shared_alloc(sizeof *account); /* zeroed: a free lock */
    if (rc < 0 || account == NULL)
        return 1;
    rc = plait_task_start(&task, PLAIT_PROCESS, pay_and_die, account, NULL);
    if (rc == 0)
        rc = plait_task_join(task, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_task_outcome(task, &end);
    if (rc == 0)
        printf("%s was ended by signal %d\n", plait_task_name(task), end.signal);
    plait_task_destroy(task);
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = pay_in(account, 10, false);
        printf("the balance is %ld\n", account->balance);
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", plait_strerror(rc));
    return rc < 0;
}

/* prints:
 * Process-1 was ended by signal 9
 * a payment of 1000 was cut off
 * the balance is 10
 * the balance is 20
 */
