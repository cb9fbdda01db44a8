/* read, for a task of any kind: what a coroutine would sleep in stops all others of its thread, so the
 * case and its tasks wait in plait first.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND before.
 */
#ifndef PLAIT_TESTS_READ_GATE_H
#define PLAIT_TESTS_READ_GATE_H

#include <plait.h>

#include "test.h"

static inline ssize_t read_gate(int fd, void *buf, size_t n)
{
    plait_waitable on;

    if (KIND == PLAIT_COROUTINE) {
        CHECK_INT(plait_on_fd(&on, fd, PLAIT_READABLE), 0);
        if (plait_select(&on, 1, PLAIT_FOREVER) < 0)
            return -1;
    }
    return test_read(fd, buf, n);
}

#endif
