/* Who waits at an object of the family.
 * SPDX-License-Identifier: MIT
 */
#include "chan/visits.h"
#include "family/member.h"

#include "test.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct plait__visits visits;

static void fill(uint32_t id)
{
    for (unsigned i = 0; i < PLAIT__VISITS; i++)
        visits.entries[i] = UINT64_C(1) << 32 | id;
}

TEST(when_more_came_than_can_be_known_it_is_not_said_that_all_have_left)
{
    int status;

    CHECK_INT(plait__member_join(), 0);
    uint32_t lives = plait__member_self();
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__member_join(), 0);
        CHECK(plait__member_self() != lives);
        fill(lives);
        plait__visits_leave(&visits, plait__visits_enter(&visits));
        for (unsigned i = 0; i < PLAIT__VISITS; i++)
            CHECK_INT(visits.entries[i], UINT64_C(1) << 32 | lives);
        memset(visits.entries, 0, sizeof visits.entries); /* those who are known leave */
        CHECK(!plait__visits_are_over(&visits));
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

TEST(the_entry_of_a_dead_process_is_taken_by_the_next)
{
    uint32_t dies = 0;
    int fds[2];

    CHECK_INT(plait__member_join(), 0);
    CHECK_INT(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_INT(plait__member_join(), 0);
        dies = plait__member_self();
        CHECK_INT(write(fds[1], &dies, sizeof dies), sizeof dies);
        _exit(0);
    }
    CHECK_INT(read(fds[0], &dies, sizeof dies), sizeof dies);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    fill(dies);
    unsigned at = plait__visits_enter(&visits);
    CHECK(at < PLAIT__VISITS);
    CHECK_INT(visits.entries[at], UINT64_C(1) << 32 | plait__member_self());
    plait__visits_leave(&visits, at);
    CHECK_INT(visits.entries[at], 0);
    CHECK(plait__visits_are_over(&visits));
}
