/* Tests of the report. The terminal is a pseudo-terminal, the clock a number.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/report.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define S INT64_C(1000000000)

static int reader, writer; /* what the report writes to writer comes out of reader */

static void set_locale(const char *locale)
{
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", locale, 1);
}

static void use_pipe(void)
{
    int fds[2];

    CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
    reader = fds[0];
    writer = fds[1];
    set_locale("C");
}

static void use_terminal(unsigned short columns)
{
    struct winsize size = { .ws_col = columns, .ws_row = 24 };

    reader = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(reader >= 0);
    CHECK_INT(grantpt(reader), 0);
    CHECK_INT(unlockpt(reader), 0);
    writer = open(ptsname(reader), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(writer >= 0);
    CHECK_INT(ioctl(writer, TIOCSWINSZ, &size), 0);
    set_locale("C");
}

/* What has been written since the last look. */
static const char *look(void)
{
    static char text[16384];
    ssize_t n;

    CHECK_INT(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
    n = read(reader, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static struct map_report *create(const struct map_options *options)
{
    struct map_report *report = NULL;

    CHECK_INT(map_report_create(&report, options, writer, 100 * S), 0);
    return report;
}

static const struct map_counts none = { .total = 10, .slots = 2, .running = 2 };

static struct map_result fail(uint64_t seq, const char *line)
{
    return (struct map_result){
        .seq = seq, .attempt = 1, .pid = 1, .line = line, .exit_status = 3, .run_ns = S
    };
}

TEST(success_is_silent)
{
    struct map_options options = { 0 };
    struct map_result result = { .seq = 1, .line = "true" };
    struct map_counts counts = { .total = 1, .succeeded = 1 };
    struct map_report *report;

    use_pipe();
    report = create(&options);
    map_report_ended(report, &result, &counts, 101 * S);
    CHECK_INT(map_report_tick(report, &counts, 200 * S) == INT64_MAX, 1);
    map_report_wipe(report);
    map_report_finish(report, &counts, 300 * S);
    map_report_destroy(report);
    CHECK_STR(look(), "");
}

TEST(each_way_to_fail_has_its_words)
{
    struct map_options options = { 0 };
    struct map_result result = fail(17, "gzip -t 'a b.gz'");
    struct map_report *report;

    use_pipe();
    report = create(&options);
    map_report_ended(report, &result, &none, 101 * S);
    CHECK_STR(look(), "plait map: job 17 failed: exit 3: gzip -t 'a b.gz'\n");
    result = (struct map_result){ .seq = 2, .attempt = 3, .line = "x", .signal = 11, .core = true };
    map_report_ended(report, &result, &none, 101 * S);
    CHECK_STR(look(),
              "plait map: job 2 failed after 3 attempts: killed by SIGSEGV (core dumped): x\n");
    result = (struct map_result){
        .seq = 3, .line = "x", .signal = 9, .timed_out = true, .run_ns = 30 * S
    };
    map_report_ended(report, &result, &none, 101 * S);
    CHECK_STR(look(), "plait map: job 3 failed: timed out after 30.0 s: x\n");
    result =
        (struct map_result){ .seq = 4, .line = "x", .exit_status = 126, .start_error = EACCES };
    map_report_ended(report, &result, &none, 101 * S);
    CHECK_STR(look(), "plait map: job 4 failed: cannot start: Permission denied: x\n");
    result = (struct map_result){ .seq = 5, .line = "x", .signal = 9, .keeper_died = true };
    map_report_ended(report, &result, &none, 101 * S);
    CHECK_STR(look(), "plait map: job 5 failed: killed with its keeper: x\n");
    result = (struct map_result){ .seq = 6, .line = "x", .signal = 63 };
    map_report_ended(report, &result, &none, 101 * S);
    CHECK_STR(look(), "plait map: job 6 failed: killed by signal 63: x\n");
    map_report_destroy(report);
}

TEST(ten_failures_are_shown_and_the_others_counted)
{
    struct map_options options = { 0 };
    struct map_report *report;

    use_pipe();
    report = create(&options);
    for (uint64_t i = 1; i <= 47; i++) {
        struct map_result result = fail(i, "x");

        map_report_ended(report, &result, &none, 101 * S);
        CHECK_INT(strlen(look()) > 0, i <= 10);
    }
    map_report_finish(report, &none, 102 * S);
    CHECK_STR(look(), "plait map: ... and 37 more failed\n");
    map_report_destroy(report);
}

TEST(quiet_says_nothing_of_failures)
{
    struct map_options options = { .quiet = true };
    struct map_result result = fail(1, "x");
    struct map_report *report;

    use_terminal(80);
    report = create(&options);
    map_report_ended(report, &result, &none, 101 * S);
    CHECK(map_report_tick(report, &none, 110 * S) == INT64_MAX);
    map_report_finish(report, &none, 120 * S);
    CHECK_STR(look(), "");
    map_report_destroy(report);
}

TEST(commands_are_shortened_and_cannot_reach_the_terminal)
{
    struct map_options options = { .bar = MAP_NEVER };
    struct map_result result = fail(1, "\033]0;evil\007 0123456789012345678901234567890123456789");
    struct map_report *report;

    use_terminal(60);
    setenv("LC_ALL", "C.UTF-8", 1);
    report = create(&options);
    map_report_ended(report, &result, &none, 101 * S);
    CHECK_STR(look(), "plait map: job 1 failed: exit 3: \\x1b]0;evil\\x07 0123456789…\r\n");
    map_report_say(report, "cannot read '%s'", "\033c");
    CHECK_STR(look(), "plait map: cannot read '\\x1bc'\r\n");
    map_report_destroy(report);
}

TEST(the_bar_comes_after_two_seconds_and_goes_at_the_end)
{
    struct map_options options = { 0 };
    struct map_report *report;

    use_terminal(60);
    report = create(&options);
    CHECK_INT(map_report_tick(report, &none, 100 * S), 102 * S);
    CHECK_STR(look(), "");
    CHECK_INT(map_report_tick(report, &none, 102 * S), 102 * S + S / 10);
    CHECK_STR(look(), "\r  0% [------------------------] 0/10  2 running  2 s so far\033[K");
    CHECK_INT(map_report_tick(report, &none, 102 * S + S / 20), 102 * S + S / 10);
    map_report_tick(report, &none, 102 * S + S / 10);
    CHECK_STR(look(), ""); /* it says what it said */
    map_report_tick(report, &none, 103 * S);
    CHECK_STR(look(), "\r  0% [------------------------] 0/10  2 running  3 s so far\033[K");
    map_report_finish(report, &none, 104 * S);
    CHECK_STR(look(), "\r\033[K");
    CHECK(map_report_tick(report, &none, 200 * S) == INT64_MAX);
    map_report_destroy(report);
    CHECK_STR(look(), "");
}

TEST(the_bar_makes_way_for_others)
{
    struct map_options options = { .bar = MAP_ALWAYS };
    struct map_report *report;

    use_terminal(30);
    report = create(&options);
    map_report_tick(report, &none, 100 * S);
    CHECK_STR(look(), "\r  0% 0/10  0 s so far\033[K");
    map_report_wipe(report);
    CHECK_STR(look(), "\r\033[K");
    map_report_wipe(report);
    CHECK_STR(look(), "");
    map_report_tick(report, &none, 100 * S + S / 10);
    CHECK_STR(look(), "\r  0% 0/10  0 s so far\033[K");
    map_report_say(report, "hello");
    CHECK_STR(look(), "\r\033[Kplait map: hello\r\n");
    map_report_destroy(report);
    CHECK_STR(look(), "");
}

TEST(only_failures_are_coloured_and_NO_COLOR_is_heeded)
{
    struct map_options options = { .eta = true };
    struct map_counts counts = { .total = 10, .failed = 1 };
    struct map_report *report;

    use_terminal(40);
    report = create(&options);
    map_report_tick(report, &counts, 100 * S);
    CHECK_STR(look(), "\r 10% 1/10  \033[31m1 failed\033[39m  0 s so far\033[K");
    map_report_destroy(report);
    setenv("NO_COLOR", "1", 1);
    report = create(&options);
    look();
    map_report_tick(report, &counts, 100 * S);
    CHECK_STR(look(), "\r 10% 1/10  1 failed  0 s so far\033[K");
    map_report_destroy(report);
}

TEST(a_dumb_terminal_is_not_drawn_on)
{
    struct map_options options = { 0 };
    struct map_report *report;

    use_terminal(80);
    setenv("TERM", "dumb", 1);
    report = create(&options);
    CHECK(map_report_tick(report, &none, 110 * S) == INT64_MAX);
    CHECK_STR(look(), "");
    map_report_destroy(report);
}

TEST(progress_in_a_log_is_a_line_every_ten_seconds)
{
    struct map_options options = { .progress = true };
    struct map_report *report;

    use_pipe();
    report = create(&options);
    CHECK_INT(map_report_tick(report, &none, 100 * S), 110 * S);
    CHECK_STR(look(), "");
    CHECK_INT(map_report_tick(report, &none, 111 * S), 121 * S);
    CHECK_STR(look(), "plait map: 0% 0/10, 2 running, 11 s so far\n");
    map_report_finish(report, &none, 112 * S);
    map_report_destroy(report);
    CHECK_STR(look(), "");
}

TEST(the_summary_can_be_read)
{
    struct map_options options = { .summary = true, .joblog = "run.log" };
    struct map_result quick = { .seq = 1,
                                .attempt = 1,
                                .line = "convert a.png",
                                .run_ns = 4 * S,
                                .user_ns = 3 * S,
                                .system_ns = S / 2,
                                .peak_kib = 100 };
    struct map_result slow = { .seq = 2,
                               .attempt = 1,
                               .line = "convert big.png",
                               .run_ns = 12 * S,
                               .user_ns = 11 * S,
                               .system_ns = S / 2,
                               .peak_kib = 1153434 };
    struct map_counts counts = {
        .total = 6, .succeeded = 2, .failed = 1, .skipped = 1, .retried = 1, .lost = 1
    };
    struct map_report *report;

    use_pipe();
    report = create(&options);
    map_report_ended(report, &slow, &counts, 108 * S);
    map_report_ended(report, &quick, &counts, 108 * S);
    map_report_finish(report, &counts, 108 * S);
    CHECK_STR(
        look(),
        "plait map: 4 jobs in 8.0 s: 2 ok, 1 failed, 1 of them lost with their keeper, 1 skipped, "
        "1 retry, 2 not run\n"
        "  at once   2.0 on average: 16.0 s of jobs in 8.0 s\n"
        "  CPU time  15.0 s (14.0 s user, 1.0 s system)\n"
        "  slowest   12.0 s (1.1 G rss): job 2: convert big.png\n"
        "  job log   run.log\n");
    map_report_destroy(report);
}

TEST(a_reader_that_went_away_does_not_matter)
{
    struct map_options options = { .progress = true };
    struct map_report *report = NULL;

    set_locale("C");
    CHECK_INT(map_report_create(&report, &options, -1, 0), 0);
    map_report_tick(report, &none, 100 * S);
    map_report_say(report, "lost");
    map_report_finish(report, &none, 100 * S);
    map_report_destroy(report);
    map_report_destroy(NULL);
}
