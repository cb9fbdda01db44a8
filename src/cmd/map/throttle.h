/* What holds back the start of the next job: --delay, --rate, --load, --memfree.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_THROTTLE_H
#define PLAIT__CMD_MAP_THROTTLE_H

#include "cmd/map/options.h"

struct map_throttle {
    int64_t spacing_ns; /* the least time from start to start */
    double load;        /* 0: any */
    uint64_t memfree;   /* bytes; 0: any */
    const char *proc;   /* "/proc"; a test's own */
    int64_t next_ns;    /* no start before it */
    int64_t look_ns;    /* the machine is looked at again then */
    bool is_busy;       /* it was too busy when looked at last */
};

void map_throttle_init(struct map_throttle *throttle, const struct map_options *options);
/* When may the next job start? now_ns or earlier: at once; else the time to ask again. */
int64_t map_throttle_when(struct map_throttle *throttle, int64_t now_ns);
/* Does it never hold anything back? */
bool map_throttle_is_idle(const struct map_throttle *throttle);
void map_throttle_started(struct map_throttle *throttle, int64_t now_ns);

#endif
