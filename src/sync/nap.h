/* Sleeping on a word in slices, so that a death is noticed.
 * SPDX-License-Identifier: MIT
 *
 * Who was to wake us may have been killed just before it did; so may a sleeper that the only wake
 * was spent on. In memory that other processes share no sleep is therefore longer than 100 ms. In
 * private memory nobody dies alone, and nobody wakes for nothing.
 */
#ifndef PLAIT__SYNC_NAP_H
#define PLAIT__SYNC_NAP_H

#include <plait/time.h>

#include <stdint.h>

/* Sleep while *word == expected, for one slice at most; `round` counts the sleeps of one wait: the
 * first ones are shorter.
 * 0: it may have changed, or a wake was spent on us · 1: the slice is over: look who has died ·
 * -ETIMEDOUT: so is all our time · -ECANCELED. */
int plait__nap(uint32_t *word, uint32_t expected, unsigned round, plait_deadline until);

#endif
