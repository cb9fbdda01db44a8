/* Sleeping on a word in slices.
 * SPDX-License-Identifier: MIT
 */
#include "sync/nap.h"
#include "base/time.h"
#include "family/member.h"
#include "os/clock.h"
#include "sync/debug.h"
#include "wait/wait.h"

#include <errno.h>

static int nap(uint32_t *word, uint32_t expected, unsigned round, plait_deadline until)
{
    plait_deadline soon = plait__deadline_after(plait__os_now_ns(), plait__slice_ns(round));
    int rc;

    if (until.ns <= soon.ns)
        return plait__wait_word(word, expected, until);
    rc = plait__wait_word(word, expected, soon);
    return rc == -ETIMEDOUT ? 1 : rc;
}

int plait__nap(uint32_t *word, uint32_t expected, unsigned round, plait_deadline until)
{
    bool is_shared = plait__is_shared(word);
    int rc;

    until = plait__until_here(until);
    if (!plait__debug_locks())
        return is_shared ? nap(word, expected, round, until)
                         : plait__wait_word(word, expected, until);
    do {
        rc = nap(word, expected, round++, until);
        if (rc == 1)
            plait__debug_looks();
    } while (rc == 1 && !is_shared); /* there nobody else expects slices */
    return rc;
}
