/* State Threads. It has no channels: a number is handed over under a condition variable; and no call to
 * yield but a sleep of no length.
 * SPDX-License-Identifier: MIT
 */
#include <st.h>
#include <stdbool.h>

typedef void *coroutines_result;

struct coroutines_task {
    st_thread_t thread;
};

#include "coroutines.h"

struct mailbox {
    st_cond_t changed;
    uint64_t number;
    bool is_full;
};

static struct mailbox mailboxes[2];
static st_mutex_t lock;
static st_cond_t event;

static int coroutines_make(void)
{
    if (st_init() < 0)
        return -errno;
    mailboxes[0].changed = st_cond_new();
    mailboxes[1].changed = st_cond_new();
    lock = st_mutex_new();
    event = st_cond_new();
    return 0;
}

static int coroutines_start(struct coroutines_task *ret, coroutines_fn *fn, void *arg)
{
    ret->thread = st_thread_create(fn, arg, 1, 0);
    return ret->thread == NULL ? -ENOMEM : 0;
}

static int coroutines_join(struct coroutines_task *task)
{
    return st_thread_join(task->thread, NULL) < 0 ? -errno : 0;
}

static int coroutines_go(coroutines_fn *fn, void *arg)
{
    return st_thread_create(fn, arg, 0, 0) == NULL ? -ENOMEM : 0;
}

static int coroutines_yield(void)
{
    return st_usleep(0) < 0 ? -errno : 0;
}

static int coroutines_put(unsigned channel, uint64_t number)
{
    struct mailbox *mailbox = &mailboxes[channel];

    while (mailbox->is_full)
        if (st_cond_wait(mailbox->changed) < 0)
            return -errno;
    mailbox->number = number;
    mailbox->is_full = true;
    st_cond_signal(mailbox->changed);
    return 0;
}

static int coroutines_get(unsigned channel, uint64_t *ret)
{
    struct mailbox *mailbox = &mailboxes[channel];

    while (!mailbox->is_full)
        if (st_cond_wait(mailbox->changed) < 0)
            return -errno;
    *ret = mailbox->number;
    mailbox->is_full = false;
    st_cond_signal(mailbox->changed);
    return 0;
}

static int coroutines_acquire(void)
{
    return st_mutex_lock(lock) < 0 ? -errno : 0;
}

static int coroutines_release(void)
{
    return st_mutex_unlock(lock) < 0 ? -errno : 0;
}

static int coroutines_wait(int ms)
{
    int rc = ms < 0 ? st_cond_wait(event) : st_cond_timedwait(event, (st_utime_t)ms * 1000);

    return rc < 0 ? -errno : 0;
}

static int coroutines_wake_all(void)
{
    return st_cond_broadcast(event) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    return coroutines_main(argc, argv);
}
