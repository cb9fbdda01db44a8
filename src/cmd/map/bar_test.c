/* Tests of the progress bar.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/bar.h"

#include "test.h"

#define S INT64_C(1000000000)

static void check_bar(const struct map_bar_view *view, const char *want)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(map_bar_draw(&buf, view), 0);
    CHECK_STR(buf.data, want);
    plait__buf_fini(&buf);
}

static const struct map_counts half = {
    .total = 3000,
    .succeeded = 1490,
    .failed = 2,
    .skipped = 8,
    .retried = 1,
    .running = 4,
    .slots = 4,
};

TEST(the_bar_says_all_on_a_wide_terminal)
{
    struct map_bar_view view = { .counts = &half, .eta_ns = 80 * S, .rate = 35.4, .columns = 120 };

    check_bar(
        &view,
        " 50% [###############---------------] 1500/3000  4 running  2 failed  1 retried  35/s  "
        "ETA 1m 20s");
    view.utf8 = true;
    check_bar(
        &view,
        " 50% ▕███████████████               ▏ 1500/3000  4 running  2 failed  1 retried  35/s  "
        "ETA 1m 20s");
    view.color = true;
    view.columns = 40;
    check_bar(&view, " 50% 1500/3000  \033[31m2 failed\033[39m  ETA 1m 20s");
}

TEST(the_bar_never_reaches_the_last_column)
{
    struct map_bar_view view = { .counts = &half, .eta_ns = 80 * S, .rate = 3.45, .columns = 0 };

    for (view.columns = 1; view.columns < 200; view.columns++) {
        struct plait__buf buf = { 0 };

        CHECK_INT(map_bar_draw(&buf, &view), 0);
        CHECK(buf.len < view.columns);
        plait__buf_fini(&buf);
    }
}

TEST(how_far_the_running_ones_are_is_said)
{
    struct map_counts counts = { .total = 3, .running = 2, .steps_done = 35, .steps = 50 };
    struct map_bar_view view = { .counts = &counts, .eta_ns = -1, .rate = -1, .elapsed_ns = 3 * S };

    check_bar(&view, "0% 0/3, 2 running (70%), 3 s so far");
    counts.steps_done = 51; /* each may say what it likes */
    check_bar(&view, "0% 0/3, 2 running (100%), 3 s so far");
}

TEST(eighths_of_a_block_are_drawn)
{
    struct map_counts counts = { .total = 16, .succeeded = 1, .running = 1 };
    struct map_bar_view view = { .counts = &counts,
                                 .eta_ns = -1,
                                 .rate = -1,
                                 .columns = 46,
                                 .utf8 = true,
                                 .elapsed_ns = 3 * S };

    check_bar(&view, "  6% ▕▋         ▏ 1/16  1 running  3 s so far");
    counts.succeeded = 16;
    counts.running = 0;
    check_bar(&view, "100% ▕█████████▏ 16/16  0 running  3 s so far");
}

TEST(a_line_for_a_log_has_no_bar)
{
    struct map_bar_view view = { .counts = &half, .eta_ns = 5 * S + 1, .rate = 3.45, .utf8 = true };

    check_bar(&view, "50% 1500/3000, 4 running, 2 failed, 1 retried, 3.5/s, ETA 5 s");
}

TEST(without_a_total_there_is_a_count)
{
    struct map_counts counts = { .total = -1, .succeeded = 12, .running = 2 };
    struct map_bar_view view = {
        .counts = &counts, .eta_ns = -1, .rate = -1, .columns = 80, .elapsed_ns = 125 * S
    };

    check_bar(&view, "12 done  2 running  2m 05s so far");
}

TEST(an_empty_run_is_done)
{
    struct map_counts counts = { .total = 0 };
    struct map_bar_view view = { .counts = &counts, .rate = -1 };

    check_bar(&view, "100% 0/0, 0 running, ETA 0 s");
}

TEST(time_to_go_is_the_median_by_slots)
{
    static const int64_t runs[] = { 10 * S, 2 * S, 3 * S };
    static struct map_bar_times times = { .start_ns = 0 };
    struct map_counts counts = { .total = 100, .succeeded = 3, .slots = 4 };

    CHECK_INT(map_bar_eta(&times, &counts, 0), -1);
    for (int i = 0; i < 3; i++)
        map_bar_times_add(&times, runs[i], 10 * S);
    CHECK_INT(map_bar_median(&times), 3 * S);
    CHECK_INT(map_bar_eta(&times, &counts, 10 * S), 97 * 3 * S / 4);
    CHECK_INT(map_bar_eta(&times, &counts, 12 * S), 97 * 3 * S / 4 - 2 * S);
    CHECK_INT(map_bar_eta(&times, &counts, 1000 * S), 0);
    counts.total = 6; /* three jobs have no use for four slots */
    CHECK_INT(map_bar_eta(&times, &counts, 10 * S), 3 * S);
    counts.total = -1;
    CHECK_INT(map_bar_eta(&times, &counts, 10 * S), -1);
    counts.total = 3;
    CHECK_INT(map_bar_eta(&times, &counts, 10 * S), 0);
}

TEST(time_to_go_heeds_a_throttle)
{
    static struct map_bar_times times = { .start_ns = 0 };
    struct map_counts counts = { .total = 1000, .slots = 4 };

    for (int i = 1; i <= 200; i++) { /* jobs of 10 ms, one a second */
        map_bar_times_add(&times, S / 100, i * S);
        counts.succeeded++;
    }
    CHECK_INT(map_bar_eta(&times, &counts, 200 * S) / S, 800);
    CHECK(map_bar_rate(&times, 200 * S) == 1.0);
}

TEST(the_present_is_the_last_jobs)
{
    static struct map_bar_times times = { .start_ns = 0 };

    for (int i = 1; i <= 1000; i++)
        map_bar_times_add(&times, 100 * S, i * S);
    for (int i = 1; i <= MAP_BAR_JOBS; i++)
        map_bar_times_add(&times, S, 1000 * S + i * S / 2);
    CHECK_INT(map_bar_median(&times), S);
    CHECK(map_bar_rate(&times, 1000 * S + MAP_BAR_JOBS * S / 2) == 2.0);
}
