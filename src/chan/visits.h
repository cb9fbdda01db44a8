/* Who waits at an object of the family, so that who destroys it knows when all have left.
 * SPDX-License-Identifier: MIT
 *
 * An entry names its process: that of a dead one is void. Zero bytes are a list of nobody.
 */
#ifndef PLAIT__CHAN_VISITS_H
#define PLAIT__CHAN_VISITS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PLAIT__VISITS = 127
};

struct plait__visits {
    uint32_t had_strays; /* atomic: somebody came when no entry was free */
    /* atomic: of a process: how many of its tasks are here << 32 | its member id */
    uint64_t entries[PLAIT__VISITS];
};

/* We are here; for plait__visits_leave. pre: we are in the family. */
unsigned plait__visits_enter(struct plait__visits *visits);
/* The last that is done to the object: it may be gone after it. */
void plait__visits_leave(struct plait__visits *visits, unsigned at);
/* Nobody comes any more, and those who are here have been told to leave: waits until they have.
 * False: somebody does not leave, or it is not known. */
bool plait__visits_are_over(struct plait__visits *visits);

#endif
