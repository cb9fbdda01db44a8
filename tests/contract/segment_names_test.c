/* The contract of named segments: how they are found, made, and left.
 * SPDX-License-Identifier: MIT
 */
#include "strangers.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    IS_THERE = 0, /* of the numbers */
    MAY_GO = 1,
    RESULT = 2
};

static int try_to_open(const char *name)
{
    plait_segment *segment = NULL;
    int rc = plait_segment_open(&segment, name, NULL, plait_after_ms(60000));

    if (rc == 0)
        CHECK_INT(plait_segment_close(segment), 0);
    else
        CHECK(segment == NULL);
    return rc;
}

static int open_with(const char *name, plait_segment_opts opts, plait_deadline until)
{
    plait_segment *segment = NULL;
    int rc = plait_segment_open(&segment, name, &opts, until);

    CHECK((rc == 0) == (segment != NULL));
    return rc;
}

PART(be_there)
{
    add_number(stage, IS_THERE);
    stay();
}

/* ---- finding ---- */

BOTH(a_stranger_finds_what_was_made)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t other;

    set_number(stage, IS_THERE, 40);
    other = start_stranger("be_there", name);
    UNTIL(number(stage, IS_THERE) == 41);
    kill_stranger(other);
    CHECK_INT(number(stage, IS_THERE), 41);
}

BOTH(it_lives_as_long_as_anybody_has_it_open)
{
    plait_segment *segment = open_segment(name);
    struct stage *stage = stage_of(segment);
    pid_t other = start_stranger("be_there", name);

    UNTIL(number(stage, IS_THERE) == 1);
    CHECK_INT(plait_segment_close(segment), 0);
    stage = stage_of(segment = open_segment(name));
    CHECK_INT(number(stage, IS_THERE), 1);
    CHECK_INT(plait_segment_close(segment), 0);
    kill_stranger(other);
    stage = stage_of(open_segment(name));
    CHECK_INT(number(stage, IS_THERE), 0);
}

BOTH(to_open_it_again_is_the_same)
{
    plait_segment *first = open_segment(name), *second = open_segment(name);

    CHECK(first == second);
    CHECK_STR(plait_segment_name(first), name);
    CHECK_INT(plait_segment_close(first), 0);
    stage_of(second);
    CHECK_INT(plait_segment_close(second), 0);
    CHECK_INT(plait_segment_close(second), -EINVAL);
}

BOTH(new_ones_and_existing_ones_can_be_asked_for)
{
    CHECK_INT(open_with(name, (plait_segment_opts){ .only_existing = true }, PLAIT_NOWAIT),
              -ENOENT);
    CHECK_INT(open_with(name, (plait_segment_opts){ .only_existing = true }, plait_after_ms(50)),
              -ENOENT);
    CHECK_INT(
        open_with(name, (plait_segment_opts){ .only_new = true, .bytes = 5000 }, PLAIT_FOREVER), 0);
    CHECK_INT(open_with(name, (plait_segment_opts){ .only_new = true }, PLAIT_FOREVER), -EEXIST);
    CHECK_INT(open_with(name, (plait_segment_opts){ .only_existing = true }, PLAIT_FOREVER), 0);
    CHECK_INT(open_with(name, (plait_segment_opts){ .bytes = 5000 }, PLAIT_FOREVER), 0);
    CHECK_INT(open_with(name, (plait_segment_opts){ .bytes = 5001 }, PLAIT_FOREVER), -ERANGE);
}

PART(no_stage_wait_for_it)
{
    plait_segment_opts opts = { .only_existing = true };
    plait_segment *segment = NULL;

    CHECK_INT(plait_segment_open(&segment, segment_name, &opts, PLAIT_FOREVER), 0);
    add_number(stage_of(segment), IS_THERE);
    stay();
}

BOTH(who_comes_first_can_wait_until_it_is_made)
{
    pid_t other = start_stranger("no_stage_wait_for_it", name);
    struct stage *stage;

    plait_sleep(plait_after_ms(100));
    stage = stage_of(open_segment(name));
    UNTIL(number(stage, IS_THERE) == 1);
    kill_stranger(other);
}

static bool has_main_thread_ended(void)
{
    char line[512];
    FILE *file = fopen("/proc/self/stat", "r");

    CHECK(file != NULL && fgets(line, sizeof line, file) != NULL);
    fclose(file);
    return strstr(line, ") Z ") != NULL;
}

static void *be_there_alone(void *name)
{
    UNTIL(has_main_thread_ended());
    add_number(stage_of(open_segment(name)), IS_THERE);
    stay();
    return NULL;
}

BOTH(it_is_open_too_where_the_main_thread_has_ended)
{
    plait_segment_opts opts = { .only_existing = true };
    plait_segment *segment = NULL;
    pid_t other = fork();

    if (other == 0) {
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, be_there_alone, (void *)(uintptr_t)name), 0);
        pthread_exit(NULL);
    }
    CHECK_INT(plait_segment_open(&segment, name, &opts, plait_after_ms(50000)), 0);
    UNTIL(number(stage_of(segment), IS_THERE) == 1);
    kill_stranger(other);
    CHECK_INT(plait_segment_close(segment), 0);
}

/* ---- what stays ---- */

/* Descriptors of memory of that name, in this process. */
static int count_memory(const char *name)
{
    char want[128], path[64], link[128];
    int n = 0;

    snprintf(want, sizeof want, "/memfd:plait-%s (deleted)", name);
    for (int fd = 0; fd < 64; fd++) {
        ssize_t got;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        got = readlink(path, link, sizeof link - 1);
        link[got > 0 ? got : 0] = '\0';
        n += strcmp(link, want) == 0;
    }
    return n;
}

static int count_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

BOTH(the_last_one_to_close_leaves_nothing)
{
    int before;

    CHECK_INT(try_to_open(name), 0); /* what is made once: the family */
    before = count_descriptors();
    for (int i = 0; i < 3; i++)
        CHECK_INT(try_to_open(name), 0);
    CHECK_INT(count_descriptors(), before);
    CHECK_INT(count_memory(name), 0);
    if (folder[0] != '\0')
        CHECK_INT(count_files(), 0);
}

BOTH(the_keeper_of_a_program_does_not_keep_its_segments)
{
    plait_segment *segment = open_segment(name);
    struct stage *stage = stage_of(segment);

    set_number(stage, RESULT, 1);
    CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(plait_segment_close(segment), 0);
    if (folder[0] != '\0')
        CHECK_INT(count_files(), 0);
    CHECK_INT(number(stage_of(open_segment(name)), RESULT), 0);
}

BOTH(the_dead_leave_one_file_at_most_and_the_next_begins_anew)
{
    struct stage *stage = NULL;
    pid_t other;

    for (int i = 0; i < 3; i++) {
        plait_segment *segment = open_segment(name);
        stage = stage_of(segment);
        CHECK_INT(number(stage, IS_THERE), 0);
        other = start_stranger("be_there", name);
        UNTIL(number(stage, IS_THERE) == 1);
        CHECK_INT(plait_segment_close(segment), 0);
        kill_stranger(other);
        if (folder[0] != '\0')
            CHECK_INT(count_files(), 1);
        CHECK_INT(open_with(name, (plait_segment_opts){ .only_existing = true }, PLAIT_NOWAIT),
                  -ENOENT);
    }
}

PART(leave_a_child)
{
    int ends[2];

    CHECK_INT(pipe(ends), 0);
    if (fork() == 0) { /* does nothing of plait's for now */
        char byte;
        close(ends[1]);
        CHECK_INT(read(ends[0], &byte, 1), 0);
        UNTIL(number(stage, MAY_GO) == 1);
        CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), 0);
        be_there(stage, NULL);
    }
    set_number(stage, RESULT, 5);
    raise(SIGKILL);
}

BOTH(a_forked_child_that_has_not_used_it_yet_keeps_it)
{
    struct stage *stage;
    pid_t parent = start_stranger("leave_a_child", name);

    CHECK_INT(waitpid(parent, NULL, 0), parent);
    stage = stage_of(open_segment(name));
    CHECK_INT(number(stage, RESULT), 5); /* the same, not a new one */
    set_number(stage, MAY_GO, 1);
    UNTIL(number(stage, IS_THERE) == 1);
    CHECK_INT(plait_lock_acquire(&stage->lock, plait_after_ms(100)), -ETIMEDOUT);
}

/* ---- limits ---- */

BOTH(without_descriptors_it_says_so_and_leaves_none)
{
    struct rlimit limit, old;
    int before, lowest, n_failed = 0;

    CHECK_INT(try_to_open(name), 0);
    before = count_descriptors();
    lowest = dup(0);
    close(lowest);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    for (limit.rlim_cur = (rlim_t)lowest; limit.rlim_cur < (rlim_t)lowest + 8; limit.rlim_cur++) {
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
        int rc = try_to_open(name);
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
        CHECK(rc == 0 || rc == -EMFILE);
        n_failed += rc < 0;
        CHECK_INT(count_descriptors(), before);
        if (folder[0] != '\0') /* with too few to look at it again, it stays */
            CHECK(count_files() <= 1);
    }
    CHECK(n_failed > 0 && n_failed < 8);
    CHECK_INT(try_to_open(name), 0);
    if (folder[0] != '\0')
        CHECK_INT(count_files(), 0);
}

BOTH(a_file_that_may_not_be_so_long_is_not_made)
{
    struct rlimit limit = { 65536, 65536 };

    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_INT(try_to_open(name), -EFBIG);
    if (folder[0] != '\0')
        CHECK_INT(count_files(), 0);
    CHECK_INT(open_with(name, (plait_segment_opts){ .bytes = 4000 }, PLAIT_FOREVER), 0);
}

BOTH(more_than_can_be_is_refused)
{
    CHECK_INT(open_with(name, (plait_segment_opts){ .bytes = UINT64_MAX }, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(open_with(name, (plait_segment_opts){ .only_new = true, .only_existing = true },
                        PLAIT_FOREVER),
              -EINVAL);
}

TEST(bad_names_are_refused)
{
    char name[80];

    memset(name, 'x', sizeof name);
    name[65] = '\0';
    CHECK_INT(try_to_open(name), -ENAMETOOLONG);
    name[64] = '\0';
    CHECK_INT(try_to_open(name), 0);
    CHECK_INT(try_to_open(""), -EINVAL);
    CHECK_INT(try_to_open(NULL), -EINVAL);
    CHECK_INT(plait_segment_open(NULL, "x", NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(try_to_open("/nowhere/at/all"), -ENOENT);
    CHECK_INT(try_to_open("/tmp/"), -EPERM);
    CHECK_INT(try_to_open("/tmp"), -EPERM);
}

/* ---- names without a path ---- */

/* Somebody has the name's guard, for ever. */
static void bind_name(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int n = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "plait-%u-%s",
                     (unsigned)geteuid(), name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
              0);
    CHECK_INT(listen(fd, 4), 0);
}

TEST(whoever_holds_the_name_is_waited_for_until_the_deadline)
{
    const char *name = make_name(false);

    bind_name(name);
    CHECK_INT(open_with(name, (plait_segment_opts){ 0 }, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(open_with(name, (plait_segment_opts){ 0 }, plait_after_ms(100)), -ETIMEDOUT);
}

TEST(it_cannot_be_cut_short)
{
    const char *name = make_name(false);
    plait_segment *segment = open_segment(name);
    int n_tried = 0;

    for (int fd = 3; fd < 64; fd++) {
        char path[64], link[128];
        ssize_t got;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        got = readlink(path, link, sizeof link - 1);
        link[got > 0 ? got : 0] = '\0';
        if (strstr(link, name) == NULL)
            continue;
        CHECK_INT(ftruncate(fd, 0), -1);
        CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
        n_tried++;
    }
    CHECK_INT(n_tried, 1);
    stage_of(segment)->sum = 1;
}
