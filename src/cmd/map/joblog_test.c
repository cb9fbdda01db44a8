/* Tests of the job log. The texts of GNU parallel's are from logs that it wrote (20221122).
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/joblog.h"

#include "cmd/map/joblog_read.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define TITLE MAP_JOBLOG_HEADER
#define LINE(seq, exit, signal, command) \
    seq "\t:\t1795227037.795\t     0.003\t0\t0\t" exit "\t" signal "\t" command "\n"

static char path[] = "/tmp/plait-joblog-XXXXXX";

/* A log that holds these bytes. */
static void put_bytes(const char *bytes, size_t n)
{
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK_INT(write(fd, bytes, n), n);
    close(fd);
}

static void put(const char *text)
{
    put_bytes(text, strlen(text));
}

static size_t get(char *text, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, cap - 1);

    CHECK(n >= 0);
    text[n] = '\0';
    close(fd);
    return (size_t)n;
}

static void check_is(const char *want)
{
    static char text[4096];

    get(text, sizeof text);
    unlink(path);
    CHECK_STR(text, want);
}

static struct map_joblog *open_log(enum map_resume resume)
{
    struct plait__buf error = { 0 };
    struct map_joblog *log = NULL;
    int rc = map_joblog_open(&log, path, resume, &error);

    if (rc < 0)
        test_fail(__FILE__, __LINE__, "map_joblog_open: %d %s", rc, error.data);
    CHECK_INT(error.len, 0);
    return log;
}

static void check_refused(enum map_resume resume, int want, const char *sentence)
{
    struct plait__buf error = { 0 };
    struct map_joblog *log = NULL;
    char text[256];

    CHECK_INT(map_joblog_open(&log, path, resume, &error), want);
    CHECK(log == NULL);
    snprintf(text, sizeof text, "cannot go on with the job log '%s%s", path, sentence);
    CHECK_STR(error.data, text);
    plait__buf_fini(&error);
}

TEST(lines_have_the_form_of_gnu_parallel)
{
    struct map_joblog *log;

    put("old text");
    log = open_log(MAP_RESUME_NONE);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 1,
                                                          .line = "true",
                                                          .pid = 4,
                                                          .start_ns = 1795227037794600000,
                                                          .run_ns = 3499999 }),
              0);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 5,
                                                          .line = "printf 'a\\tb'",
                                                          .start_ns = 1795227037809000000,
                                                          .run_ns = 1002500000,
                                                          .out_bytes = 3 }),
              0);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 2,
                                                          .line = "exit 3",
                                                          .exit_status = 3,
                                                          .start_ns = 1795227037999600000,
                                                          .run_ns = 12345678901000000 }),
              0);
    map_joblog_close(log);
    check_is(TITLE "1\t:\t1795227037.795\t     0.003\t0\t0\t0\t0\ttrue\n"
                   "5\t:\t1795227037.809\t     1.003\t0\t3\t0\t0\tprintf 'a\\tb'\n"
                   "2\t:\t1795227038.000\t12345678.901\t0\t0\t3\t0\texit 3\n");
}

TEST(time_outs_signals_and_failed_starts_are_told_apart)
{
    struct map_joblog *log;

    put("");
    log = open_log(MAP_RESUME_NONE);
    CHECK_INT(
        map_joblog_write(
            log, &(struct map_result){ .seq = 1, .line = "a", .signal = 9, .timed_out = true }),
        0);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 2, .line = "b", .signal = 11 }),
              0);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 3,
                                                          .line = "c",
                                                          .exit_status = 127,
                                                          .start_error = ENOENT }),
              0);
    CHECK_INT(
        map_joblog_write(log, &(struct map_result){ .seq = 4, .line = "d", .keeper_died = true }),
        0);
    map_joblog_close(log);
    check_is(TITLE "1\t:\t0.000\t     0.000\t0\t0\t-1\t15\ta\n"
                   "2\t:\t0.000\t     0.000\t0\t0\t0\t11\tb\n"
                   "3\t:\t0.000\t     0.000\t0\t0\t127\t0\tc\n"
                   "4\t:\t0.000\t     0.000\t0\t0\t0\t9\td\n");
}

TEST(a_command_with_a_newline_stays_one_line_and_comes_back)
{
    struct map_joblog *log;
    const char *line = NULL;
    uint64_t seq = 0;
    bool changed = false;

    put("");
    log = open_log(MAP_RESUME_NONE);
    CHECK_INT(
        map_joblog_write(log, &(struct map_result){ .seq = 1, .line = "a\nb", .exit_status = 1 }),
        0);
    map_joblog_close(log);
    log = open_log(MAP_RETRY_FAILED);
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 1);
    CHECK_STR(line, "a\nb");
    map_joblog_close(log);
    log = open_log(MAP_RESUME);
    CHECK(!map_joblog_wants(log, 1, "a\nb", &changed));
    CHECK(!changed);
    map_joblog_close(log);
    unlink(path);
}

TEST(resume_wants_the_jobs_without_a_line)
{
    bool changed = false;
    struct map_joblog *log;

    put(TITLE LINE("1", "0", "0", "a") LINE("3", "1", "0", "c"));
    log = open_log(MAP_RESUME);
    CHECK(!map_joblog_wants(log, 1, "a", &changed));
    CHECK(map_joblog_wants(log, 2, "b", &changed));
    CHECK(!map_joblog_wants(log, 3, "c", &changed));
    CHECK(!changed);
    map_joblog_close(log);
    unlink(path);
}

TEST(resume_failed_wants_the_failed_ones_too)
{
    bool changed = false;
    struct map_joblog *log;

    put(TITLE LINE("1", "0", "0", "a") LINE("2", "1", "0", "b") LINE("3", "0", "9", "c")
            LINE("4", "-1", "15", "d"));
    log = open_log(MAP_RESUME_FAILED);
    CHECK(!map_joblog_wants(log, 1, "a", &changed));
    CHECK(map_joblog_wants(log, 2, "b", &changed));
    CHECK(map_joblog_wants(log, 3, "c", &changed));
    CHECK(map_joblog_wants(log, 4, "d", &changed));
    CHECK(map_joblog_wants(log, 5, "e", &changed));
    CHECK(!changed);
    map_joblog_close(log);
    unlink(path);
}

TEST(of_two_lines_with_one_seq_the_last_counts)
{
    bool changed = false;
    struct map_joblog *log;

    put(TITLE LINE("1", "1", "0", "a") LINE("2", "0", "0", "b") LINE("1", "0", "0", "a")
            LINE("2", "1", "0", "b"));
    log = open_log(MAP_RESUME_FAILED);
    CHECK(!map_joblog_wants(log, 1, "a", &changed));
    CHECK(map_joblog_wants(log, 2, "b", &changed));
    map_joblog_close(log);
    unlink(path);
}

TEST(another_command_is_noticed_but_not_another_quoting)
{
    bool changed = false;
    struct map_joblog *log;

    put(TITLE LINE("1", "0", "0", "gzip 'a b'") LINE("2", "0", "0", "gzip it\\''s'"));
    log = open_log(MAP_RESUME);
    CHECK(!map_joblog_wants(log, 1, "gzip a\\ b", &changed));
    CHECK(!map_joblog_wants(log, 2, "gzip \"it's\"", &changed));
    CHECK(!changed);
    CHECK(!map_joblog_wants(log, 2, "gzip its.", &changed));
    CHECK(changed);
    map_joblog_close(log);
    unlink(path);
}

TEST(a_log_of_gnu_parallel_is_read)
{
    static const char old[] =
        TITLE "1\t:\t1795227037.795\t     0.003\t0\t0\t0\t0\ttrue\n"
              "13\t:\t1795227038.851\t     0.001\t0\t8\t0\t0\techo 'tab\ttab'\n"
              "4\thost.example.org\t1795227037.804\t     2.294\t0\t0\t-1\t15\tsleep 9\n"
              "7\t:\t1795227037.818\t     0.001\t0\t0\t127\t0\tb\n"
              "9\t:\t1795227040.397\t     0.000\t0\t4\t2\t0\techo x\0echo b\n";
    const char *line = NULL;
    struct map_joblog *log;
    uint64_t seq = 0;
    bool changed = false;

    put_bytes(old, sizeof old - 1);
    log = open_log(MAP_RESUME);
    CHECK(!map_joblog_wants(log, 13, "echo 'tab\ttab'", &changed));
    CHECK(!map_joblog_wants(log, 9, "echo x\necho b", &changed));
    CHECK(!changed);
    map_joblog_close(log);
    log = open_log(MAP_RETRY_FAILED);
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 1);
    CHECK_INT(seq, 4);
    CHECK_STR(line, "sleep 9");
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 1);
    CHECK_INT(seq, 7);
    CHECK_STR(line, "b");
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 1);
    CHECK_INT(seq, 9);
    CHECK_STR(line, "echo x\necho b");
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 0);
    map_joblog_close(log);
    unlink(path);
}

TEST(failed_jobs_come_in_order_while_the_log_grows)
{
    const char *line = NULL;
    struct map_joblog *log;
    uint64_t seq = 0;

    put(TITLE LINE("900", "1", "0", "z") LINE("2", "1", "0", "b") LINE("1", "3", "0", "a")
            LINE("2", "0", "0", "b"));
    log = open_log(MAP_RETRY_FAILED);
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 1);
    CHECK_INT(seq, 1);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 1, .line = "another" }), 0);
    CHECK_STR(line, "a");
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 1);
    CHECK_INT(seq, 900);
    CHECK_STR(line, "z");
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 0);
    map_joblog_close(log);
    unlink(path);
}

TEST(a_torn_last_line_is_cut_and_its_job_is_wanted)
{
    bool changed = false;
    struct map_joblog *log;

    put(TITLE LINE("1", "0", "0", "a") "2\t:\t1795227037.795\t     0.003\t0\t0\t0\t0\tec");
    log = open_log(MAP_RESUME);
    CHECK(!map_joblog_wants(log, 1, "a", &changed));
    CHECK(map_joblog_wants(log, 2, "echo", &changed));
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 2, .line = "echo" }), 0);
    map_joblog_close(log);
    check_is(TITLE LINE("1", "0", "0", "a") "2\t:\t0.000\t     0.000\t0\t0\t0\t0\techo\n");
}

TEST(a_torn_or_missing_title_is_made_whole)
{
    put("Seq\tHo");
    map_joblog_close(open_log(MAP_RESUME));
    check_is(TITLE);
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    put("");
    map_joblog_close(open_log(MAP_RESUME_FAILED));
    check_is(TITLE);
}

TEST(a_tail_of_zeros_after_a_power_cut_is_cut)
{
    static const char old[] = TITLE LINE("1", "0", "0", "a") "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    put_bytes(old, sizeof old - 1);
    map_joblog_close(open_log(MAP_RESUME));
    check_is(TITLE LINE("1", "0", "0", "a"));
}

TEST(a_file_that_is_no_job_log_is_left_as_it_was)
{
    static const char *const others[] = { "dear diary",
                                          "dear diary\n",
                                          "12",
                                          "12\n13\n",
                                          "\n",
                                          TITLE "dear diary\n",
                                          TITLE "x\t:\t1\t2\t0\t0\t0\t0\ta\n",
                                          TITLE "1\t:\t1\t2\t0\t0\tno\t0\ta\n",
                                          TITLE "99999999999999999999\t:\t1\t2\t0\t0\t0\t0\ta\n" };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const char *where = strncmp(others[i], TITLE, sizeof TITLE - 1) == 0
                                ? "': line 2 is not one of a job log"
                                : "': line 1 is not one of a job log";

        memcpy(path + sizeof path - 7, "XXXXXX", 6);
        put(others[i]);
        check_refused(MAP_RESUME, -EINVAL, where);
        check_is(others[i]);
    }
}

TEST(a_torn_line_in_the_middle_is_passed_over)
{
    bool changed = false;
    struct map_joblog *log;

    put(TITLE "1\t:\t17952\n" LINE("2", "0", "0", "b"));
    log = open_log(MAP_RESUME);
    CHECK(map_joblog_wants(log, 1, "a", &changed));
    CHECK(!map_joblog_wants(log, 2, "b", &changed));
    map_joblog_close(log);
    unlink(path);
}

TEST(a_line_longer_than_a_read_is_taken_whole)
{
    enum {
        N = 300000
    };

    char *command = malloc(N + 1);
    const char *line = NULL;
    struct map_joblog *log;
    uint64_t seq = 0;

    memset(command, 'x', N);
    command[N] = '\0';
    put("");
    log = open_log(MAP_RESUME_NONE);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 1, .line = command, .signal = 6 }),
              0);
    map_joblog_close(log);
    log = open_log(MAP_RETRY_FAILED);
    CHECK_INT(map_joblog_next_failed(log, &seq, &line), 1);
    CHECK_STR(line, command);
    map_joblog_close(log);
    unlink(path);
    free(command);
}

TEST(a_full_disk_is_said_and_leaves_no_torn_line)
{
    struct rlimit limit = { sizeof TITLE - 1 + 20, sizeof TITLE - 1 + 20 };
    struct map_joblog *log;

    signal(SIGXFSZ, SIG_IGN);
    put("");
    log = open_log(MAP_RESUME_NONE);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 1, .line = "too long" }), -EFBIG);
    map_joblog_close(log);
    check_is(TITLE);
}

TEST(a_device_without_room_refuses_the_title)
{
    struct plait__buf error = { 0 };
    struct map_joblog *log = NULL;

    CHECK_INT(map_joblog_open(&log, "/dev/full", MAP_RESUME_NONE, &error), -ENOSPC);
    CHECK_STR(error.data, "cannot write the job log '/dev/full': No space left on device");
    plait__buf_fini(&error);
    CHECK_INT(map_joblog_open(&log, "/dev/null", MAP_RESUME, &error), 0);
    CHECK_INT(map_joblog_write(log, &(struct map_result){ .seq = 1, .line = "a" }), 0);
    map_joblog_close(log);
}

TEST(a_log_that_cannot_be_opened_is_named)
{
    struct plait__buf error = { 0 };
    struct map_joblog *log = NULL;

    CHECK_INT(map_joblog_open(&log, "/nonexistent/\033[2Jlog", MAP_RESUME_NONE, &error), -ENOENT);
    CHECK_STR(error.data,
              "cannot open the job log '/nonexistent/\\x1b[2Jlog': No such file or directory");
    plait__buf_fini(&error);
}
