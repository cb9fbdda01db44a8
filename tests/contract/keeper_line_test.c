/* The keeper's contract: a command in line behind those that run.
 * SPDX-License-Identifier: MIT
 */
#include "keeper.h"

#define SAY_SLOT "echo slot $PLAIT_SLOT"

/* Ends when somebody writes to it: a command that runs as long as the test wants. */
static int open_gate(int *ret_write)
{
    int gate[2];

    CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
    *ret_write = gate[1];
    return gate[0];
}

TEST(who_is_in_line_starts_when_another_is_over_and_takes_its_slot)
{
    int open, gate = open_gate(&open);

    prepare();
    run("exec sleep 60", (struct plait__command){ .id = 1, .slot = 1 });
    run("read line; exit 3", (struct plait__command){ .id = 2, .slot = 2, .fds = { gate } });
    line_up(SAY_SLOT, (struct plait__command){ .id = 3 });
    CHECK_INT(write(open, "\n", 1), 1);
    struct plait__command_end end = next_end();
    CHECK_INT(end.id, 2);
    CHECK_INT(end.death.status, 3);
    CHECK_INT(end.next, 3);
    CHECK_STR(next_line(), "slot 2");
    end = next_end();
    CHECK_INT(end.id, 3);
    CHECK_INT(end.next, 0);
}

TEST(who_is_in_line_behind_nobody_waits_for_the_word)
{
    struct plait__command_end end;

    prepare();
    line_up(SAY_SLOT, (struct plait__command){ .id = 1 });
    CHECK_INT(plait__keeper_next(&end, plait_after_ms(50)), -ETIMEDOUT);
    CHECK_INT(plait__keeper_go(1, 4), 0);
    CHECK_INT(plait__keeper_go(1, 5), 0); /* it is on its way: nothing */
    CHECK_STR(next_line(), "slot 4");
    CHECK_INT(next_end().id, 1);
}

TEST(a_command_that_could_not_be_started_gives_its_slot_to_who_is_in_line)
{
    prepare();
    line_up(SAY_SLOT, (struct plait__command){ .id = 2 });
    run("exit 0", (struct plait__command){ .id = 1, .slot = 7, .cwd = "/nowhere" });
    struct plait__command_end end = next_end();
    CHECK_INT(end.id, 1);
    CHECK_INT(end.start_error, ENOENT);
    CHECK_INT(end.next, 2);
    CHECK_STR(next_line(), "slot 7");
    CHECK_INT(next_end().death.status, 0);
}

TEST(the_line_has_one_place)
{
    prepare();
    line_up("exit 1", (struct plait__command){ .id = 1 });
    line_up("exit 2", (struct plait__command){ .id = 2 });
    struct plait__command_end end = next_end();
    CHECK_INT(end.id, 2);
    CHECK_INT(end.start_error, EBUSY);
    CHECK_INT(plait__keeper_go(1, 1), 0);
    CHECK_INT(next_end().death.status, 1);
}

TEST(who_is_in_line_is_never_started_once_all_is_to_end)
{
    struct plait__command_end end;

    prepare();
    run("exec sleep 60", (struct plait__command){ .id = 1, .slot = 1 });
    line_up("echo started", (struct plait__command){ .id = 2 });
    CHECK_INT(plait__keeper_stop_all(5000 * MS), 0);
    end = next_end();
    CHECK_INT(end.id, 2);
    CHECK_INT(end.start_error, ECANCELED);
    end = next_end();
    CHECK_INT(end.id, 1);
    CHECK_INT(end.next, 0);
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), 0);
    close(said[1]);
    CHECK_STR(next_line(), "");
}

TEST(what_is_too_long_for_a_message_can_be_in_line_too)
{
    enum {
        LONG = 100 * 1000
    };

    static char variable[LONG + 32] = "PLAIT_TEST_LONG=";
    const char *env[] = { variable };

    prepare();
    memset(variable + strlen(variable), 'x', LONG);
    line_up("echo ${#PLAIT_TEST_LONG}", (struct plait__command){ .id = 1, .env = env, .n_env = 1 });
    CHECK_INT(plait__keeper_go(1, 1), 0);
    CHECK_STR(next_line(), "100000");
    CHECK_INT(next_end().death.status, 0);
}

TEST(while_all_is_paused_who_is_in_line_waits)
{
    struct plait__command_end end;
    int open, gate = open_gate(&open);

    prepare();
    run("echo $$; read line", (struct plait__command){ .id = 1, .slot = 1, .fds = { gate } });
    pid_t first = (pid_t)atoi(next_line());
    line_up(SAY_SLOT, (struct plait__command){ .id = 2 });
    CHECK_INT(plait__keeper_pause(), 0);
    await_obeyed();
    CHECK_INT(kill(first, SIGKILL), 0);
    end = next_end();
    CHECK_INT(end.id, 1);
    CHECK_INT(end.next, 0);
    CHECK_INT(plait__keeper_resume(), 0);
    CHECK_INT(plait__keeper_go(2, 1), 0);
    CHECK_STR(next_line(), "slot 1");
    CHECK_INT(next_end().id, 2);
}

TEST(the_keepers_death_takes_the_line_with_it)
{
    struct plait__command_end end;

    prepare();
    line_up("echo started", (struct plait__command){ .id = 1 });
    int keeper = watch(plait__keeper_pid());
    CHECK_INT(kill(plait__keeper_pid(), SIGKILL), 0);
    await_gone(keeper);
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), PLAIT_EKEEPER);
    CHECK_INT(plait__keeper_go(1, 1), PLAIT_EKEEPER);
    run("echo second", (struct plait__command){ .id = 2 });
    CHECK_STR(next_line(), "second");
    CHECK_INT(next_end().id, 2);
}
