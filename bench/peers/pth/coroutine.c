/* GNU Pth; what is handed over goes through its message ports.
 * SPDX-License-Identifier: MIT
 */
#include <pth.h>

typedef void *coroutines_result;

struct coroutines_task {
    pth_t thread;
};

#include "coroutines.h"

struct mailbox {
    pth_msgport_t port;
    pth_event_t has_one;

    struct {
        pth_message_t head; /* first */
        uint64_t number;
    } message; /* one is on its way at most */
};

static struct mailbox mailboxes[2];
static pth_mutex_t lock = PTH_MUTEX_INIT, event_lock = PTH_MUTEX_INIT;
static pth_cond_t event = PTH_COND_INIT;
static pth_attr_t unjoined;

static int coroutines_make(void)
{
    if (!pth_init())
        return -errno;
    for (unsigned i = 0; i < 2; i++) {
        mailboxes[i].port = pth_msgport_create(i == 0 ? "there" : "back");
        mailboxes[i].has_one = pth_event(PTH_EVENT_MSG, mailboxes[i].port);
    }
    unjoined = pth_attr_new();
    pth_attr_set(unjoined, PTH_ATTR_JOINABLE, FALSE);
    return 0;
}

static int coroutines_start(struct coroutines_task *ret, coroutines_fn *fn, void *arg)
{
    ret->thread = pth_spawn(PTH_ATTR_DEFAULT, fn, arg);
    return ret->thread == NULL ? -errno : 0;
}

static int coroutines_join(struct coroutines_task *task)
{
    return pth_join(task->thread, NULL) ? 0 : -errno;
}

static int coroutines_go(coroutines_fn *fn, void *arg)
{
    return pth_spawn(unjoined, fn, arg) == NULL ? -errno : 0;
}

static int coroutines_yield(void)
{
    return pth_yield(NULL) ? 0 : -errno;
}

static int coroutines_put(unsigned channel, uint64_t number)
{
    struct mailbox *mailbox = &mailboxes[channel];

    mailbox->message.number = number;
    return pth_msgport_put(mailbox->port, &mailbox->message.head) ? 0 : -errno;
}

static int coroutines_get(unsigned channel, uint64_t *ret)
{
    struct mailbox *mailbox = &mailboxes[channel];

    while (pth_msgport_get(mailbox->port) == NULL)
        pth_wait(mailbox->has_one);
    *ret = mailbox->message.number;
    return 0;
}

static int coroutines_acquire(void)
{
    return pth_mutex_acquire(&lock, FALSE, NULL) ? 0 : -errno;
}

static int coroutines_release(void)
{
    return pth_mutex_release(&lock) ? 0 : -errno;
}

static int coroutines_wait(int ms)
{
    (void)ms; /* its time events are looked at one by one: it is not in coroutine/timers */
    if (!pth_mutex_acquire(&event_lock, FALSE, NULL) || !pth_cond_await(&event, &event_lock, NULL))
        return -errno;
    return pth_mutex_release(&event_lock) ? 0 : -errno;
}

static int coroutines_wake_all(void)
{
    return pth_cond_notify(&event, TRUE) ? 0 : -errno;
}

int main(int argc, char **argv)
{
    return coroutines_main(argc, argv);
}
