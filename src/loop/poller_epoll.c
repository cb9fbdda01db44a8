/* Descriptors by epoll.
 * SPDX-License-Identifier: MIT
 *
 * A descriptor is in the kernel's set once, for all who watch it, with what they want together, and
 * is told once (EPOLLONESHOT): what nobody waits for costs nothing. Whoever closes a descriptor need
 * not tell us: the kernel forgets it, and the next watch of that number finds out and adds it anew.
 * Each adding has a generation, so that what the kernel says of a former file is not taken for the
 * new one's.
 */
#include "loop/poller.h"
#include "os/epoll.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EVENTS = 64 /* at once */
};

/* One descriptor. */
struct entry {
    struct plait__list watches;
    uint32_t generation;
    unsigned armed; /* what the kernel is to tell */
    bool is_added;
};

struct plait__poller {
    int epoll;
    int bell;               /* an eventfd: a kick raises it */
    struct entry **entries; /* by descriptor */
    size_t n_entries;
};

enum {
    BELL_COOKIE = -1 /* as the descriptor */
};

static uint64_t cookie_of(int fd, uint32_t generation)
{
    return (uint64_t)generation << 32 | (uint32_t)fd;
}

static void destroy(struct plait__poller *poller)
{
    if (poller == NULL)
        return;
    for (size_t i = 0; i < poller->n_entries; i++)
        free(poller->entries[i]);
    free(poller->entries);
    if (poller->bell >= 0)
        close(poller->bell);
    if (poller->epoll >= 0)
        close(poller->epoll);
    free(poller);
}

static int create(struct plait__poller **ret)
{
    struct plait__poller *poller = calloc(1, sizeof *poller);
    int rc;

    if (poller == NULL)
        return -ENOMEM;
    poller->bell = -1;
    rc = poller->epoll = plait__os_epoll();
    if (rc >= 0)
        rc = poller->bell = plait__os_eventfd();
    if (rc >= 0)
        rc = plait__os_epoll_add(poller->epoll, poller->bell, PLAIT__FD_READ,
                                 cookie_of(BELL_COOKIE, 0));
    if (rc < 0) {
        destroy(poller);
        return rc;
    }
    *ret = poller;
    return 0;
}

/* Nothing in it is a thread's. */
static int enter(struct plait__poller *poller)
{
    (void)poller;
    return 0;
}

static void leave(struct plait__poller *poller)
{
    (void)poller;
}

static void forget(struct plait__poller *poller)
{
    close(poller->epoll);
    close(poller->bell);
}

/* NULL: no memory. */
static struct entry *get_entry(struct plait__poller *poller, int fd)
{
    if ((size_t)fd >= poller->n_entries) {
        size_t n = (size_t)fd + 1 + poller->n_entries;
        struct entry **entries = realloc(poller->entries, n * sizeof *entries);
        if (entries == NULL)
            return NULL;
        memset(entries + poller->n_entries, 0, (n - poller->n_entries) * sizeof *entries);
        poller->entries = entries;
        poller->n_entries = n;
    }
    if (poller->entries[fd] == NULL) {
        poller->entries[fd] = calloc(1, sizeof *poller->entries[fd]);
        if (poller->entries[fd] != NULL)
            plait__list_init(&poller->entries[fd]->watches);
    }
    return poller->entries[fd];
}

/* Tells the kernel what is wanted of it. */
static int arm(struct plait__poller *poller, struct entry *entry, int fd, unsigned wanted)
{
    int rc = -ENOENT;

    if (entry->is_added)
        rc = plait__os_epoll_change(poller->epoll, fd, wanted | PLAIT__EPOLL_ONCE,
                                    cookie_of(fd, entry->generation));
    if (rc == -ENOENT) {
        entry->generation++;
        rc = plait__os_epoll_add(poller->epoll, fd, wanted | PLAIT__EPOLL_ONCE,
                                 cookie_of(fd, entry->generation));
    }
    if (rc == 0) {
        entry->is_added = true;
        entry->armed = wanted;
    }
    return rc;
}

static unsigned wanted_of(const struct entry *entry)
{
    unsigned wanted = 0;

    list_for_each (node, &entry->watches)
        wanted |= plait__list_entry(node, struct plait__fd_watch, node)->fd->wanted;
    return wanted;
}

static int watch(struct plait__poller *poller, struct plait__fd_watch *watch)
{
    struct plait__fd *fd = watch->fd;
    struct entry *entry = get_entry(poller, fd->fd);
    int rc;

    if (entry == NULL)
        return -ENOMEM;
    plait__list_init(&watch->node);
    rc = arm(poller, entry, fd->fd, wanted_of(entry) | fd->wanted);
    if (rc == 0)
        plait__list_push_back(&entry->watches, &watch->node);
    if (rc != -EPERM)
        return rc;
    fd->ready = fd->wanted; /* a file: always ready */
    return 1;
}

static void unwatch(struct plait__poller *poller, struct plait__fd_watch *watch)
{
    (void)poller; /* what the kernel tells for nobody is ignored */
    plait__list_remove(&watch->node);
}

static void tell(struct plait__poller *poller, int fd, uint32_t generation, unsigned ready)
{
    struct entry *entry = (size_t)fd < poller->n_entries ? poller->entries[fd] : NULL;

    if (entry == NULL || entry->generation != generation)
        return;
    entry->armed = 0;
    list_for_each_safe(node, &entry->watches)
    {
        struct plait__fd_watch *watch = plait__list_entry(node, struct plait__fd_watch, node);
        watch->fd->ready = ready & (watch->fd->wanted | PLAIT__FD_HUP);
        if (watch->fd->ready == 0)
            continue;
        plait__list_remove(node);
        plait__strand_wake(watch->strand);
    }
    if (!plait__list_is_empty(&entry->watches) &&
        arm(poller, entry, fd, wanted_of(entry)) < 0) /* they look again themselves */
        list_for_each (node, &entry->watches)
            plait__strand_wake(plait__list_entry(node, struct plait__fd_watch, node)->strand);
}

static int wait(struct plait__poller *poller, int64_t until_ns)
{
    struct plait__epoll_event events[EVENTS];
    int n = plait__os_epoll_wait(poller->epoll, events, EVENTS, until_ns);

    for (int i = 0; i < n; i++) {
        int fd = (int)(uint32_t)events[i].cookie;
        if (fd == BELL_COOKIE)
            plait__os_eventfd_clear(poller->bell);
        else
            tell(poller, fd, (uint32_t)(events[i].cookie >> 32), events[i].ready);
    }
    return n < 0 ? n : 0;
}

static void kick(struct plait__poller *poller)
{
    plait__os_eventfd_raise(poller->bell);
}

static int get_fd(struct plait__poller *poller)
{
    return poller->epoll;
}

const struct plait__poller_ops plait__poller_epoll = {
    .name = "epoll",
    .create = create,
    .destroy = destroy,
    .enter = enter,
    .leave = leave,
    .forget = forget,
    .watch = watch,
    .unwatch = unwatch,
    .wait = wait,
    .kick = kick,
    .fd = get_fd,
};
