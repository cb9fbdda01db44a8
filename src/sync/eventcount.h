/* A word that changes when something happened: to wait for what is written elsewhere.
 * SPDX-License-Identifier: MIT
 *
 *     sleeper   look; announce; look again; nap on what announce returned; then from the start
 *     waker     change something; signal
 *
 * Bit 0 says that somebody may sleep, the rest counts. The bit is a hint, not a number of sleepers,
 * so that one who is killed leaves nothing behind. A signal takes it away; so a sleeper announces
 * again as soon as it is awake, because others may sleep still, and one that leaves, or finds more
 * than it needs, signals again.
 */
#ifndef PLAIT__SYNC_EVENTCOUNT_H
#define PLAIT__SYNC_EVENTCOUNT_H

#include <stdint.h>

/* Somebody is about to sleep. What to sleep on. */
uint32_t plait__eventcount_announce(uint32_t *word);
/* Something happened: up to n sleepers shall look. */
void plait__eventcount_signal(uint32_t *word, unsigned n);

#endif
