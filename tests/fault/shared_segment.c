/* The fault injector's shared program: named segments.
 * SPDX-License-Identifier: MIT
 */
#include "shared_support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct block {
    plait_lock lock;
    int turns; /* lock */
};

static const int of_open[] = { EACCES, EBUSY,  EMFILE, ENOMEM, ENOSPC, ENOTSUP,
                               EPERM,  EUSERS, ENOLCK, EIO,    0 };

static const char *name_of_all;

/* Puts one into a queue there and gets one, which may be another's; and so once more, by a lease. */
static void use_queue(plait_segment *segment)
{
    const plait_queue_opts opts = { .max_bytes = 4096, .max_leases = 16 };
    plait_queue *queue = NULL;
    plait_lease lease;
    size_t bytes = 0;
    char buf[500] = { 0 };
    void *ptr;

    must("the bytes of a queue", plait_queue_bytes(&opts, &bytes) == 0);
    if (!worked("segment_get", plait_segment_get(segment, &ptr, "queue", bytes, soon()),
                of_family) ||
        !worked("attach", plait_queue_attach(&queue, ptr, bytes, &opts), of_family))
        return;
    if (worked("put", plait_queue_put(queue, buf, sizeof buf, soon()), of_family) &&
        worked("get", plait_queue_get(queue, buf, sizeof buf, soon()), of_family) &&
        worked("put", plait_queue_put(queue, buf, sizeof buf, soon()), of_family) &&
        worked("lease", plait_queue_lease(queue, &lease, soon()), of_family))
        worked("ack", plait_queue_ack(&lease), of_nothing);
    plait_queue_destroy(queue);
}

/* True: it has had its turn in that block. */
static bool take_turn(plait_segment *segment)
{
    void *ptr;
    struct block *block;
    bool done = false;

    if (!worked("segment_get", plait_segment_get(segment, &ptr, "block", sizeof *block, soon()),
                of_family))
        return false;
    block = ptr;
    must("an offset leads back",
         plait_segment_at(segment, plait_segment_offset(segment, ptr), 1) == ptr);
    if (worked("lock", plait_lock_acquire(&block->lock, soon()), of_family)) {
        block->turns++;
        done = worked("unlock", plait_lock_release(&block->lock), of_nothing);
    }
    use_queue(segment);
    return done;
}

static int use_segment(void *arg)
{
    take_turn(arg);
    return 0;
}

/* Opens by itself what somebody else has made; who did not find it would make another one. */
static int open_and_use(void *arg)
{
    plait_segment *segment = NULL;

    (void)arg;
    if (worked("segment_open", plait_segment_open(&segment, name_of_all, NULL, soon()), of_open)) {
        take_turn(segment);
        worked("segment_close", plait_segment_close(segment), of_nothing);
    }
    return 0;
}

/* Forked when nothing is open yet. */
static int be_stranger(void *arg)
{
    char byte;
    int *ends = arg;
    ssize_t n;

    close(ends[1]);
    do
        n = read(ends[0], &byte, 1);
    while (n < 0 && errno == EINTR);
    if (worked("read", n < 0 ? -errno : n, of_system) && n == 1)
        open_and_use(NULL);
    return 0;
}

static void use_opened(plait_segment *segment, int ends[2], pid_t stranger)
{
    int turns = 6;
    void *ptr;

    in_all(use_segment, segment);
    in_all(open_and_use, NULL);
    if (stranger > 0) {
        ssize_t n;
        do
            n = write(ends[1], "x", 1);
        while (n < 0 && errno == EINTR);
        worked("write", n < 0 ? -errno : n, of_system);
        close(ends[1]);
        ends[1] = -1;
        turns += end_process(stranger) && n == 1;
    }
    if (n_errors == 0 &&
        worked("segment_get",
               plait_segment_get(segment, &ptr, "block", sizeof(struct block), soon()), of_family))
        must("each turn was taken in the one block", ((struct block *)ptr)->turns == turns);
}

static bool is_there(const char *end)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s%s", name_of_all, end);
    return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0; /* never made to fail */
}

/* Who had no descriptor left, say, may leave a file behind. But it is nobody's: it goes when the
 * next one has come and gone. rc: how the first open went; without locks it can do nothing. */
static void check_files(int rc)
{
    plait_segment *segment = NULL;
    int before = n_errors;

    must("who fails to make it leaves nothing", rc == -ENOLCK || !is_there(".plait-new"));
    if (!is_there("") && !is_there(".plait-new"))
        return;
    if (worked("segment_open", plait_segment_open(&segment, name_of_all, NULL, soon()), of_open)) {
        void *ptr;
        if (worked("segment_get",
                   plait_segment_get(segment, &ptr, "block", sizeof(struct block), soon()),
                   of_family))
            must("it begins anew", ((struct block *)ptr)->turns == 0);
        worked("segment_close", plait_segment_close(segment), of_nothing);
        must("no file is left", n_errors > before || (!is_there("") && !is_there(".plait-new")));
    }
}

void run_segment(const char *name)
{
    plait_segment_opts opts = { .bytes = 65536 };
    plait_segment *segment = NULL;
    pid_t stranger;
    int ends[2], rc;

    name_of_all = name;
    if (!worked("pipe", pipe2(ends, 0) < 0 ? -errno : 0, of_system))
        return;
    stranger = begin_process(be_stranger, ends);
    close(ends[0]);
    rc = plait_segment_open(&segment, name, &opts, soon());
    if (worked("segment_open", rc, of_open)) {
        use_opened(segment, ends, stranger);
        stranger = -1;
        worked("segment_close", plait_segment_close(segment), of_nothing);
    }
    if (ends[1] >= 0)
        close(ends[1]);
    if (stranger > 0)
        end_process(stranger);
    if (strchr(name, '/') != NULL)
        check_files(rc);
}
