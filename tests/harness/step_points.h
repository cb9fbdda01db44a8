/* The points of a call at which its process can be killed.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_STEP_POINTS_H
#define PLAIT_TESTS_STEP_POINTS_H

#include "step.h"

/* Named by the place in the program and not by the number of instructions before: so a breakpoint
 * finds it, and it stays the same when a loop before it takes longer. */
struct step_point {
    uintptr_t address;
    uint32_t visit; /* the first time that this address is reached is 1 */
    uint32_t step;  /* so many steps had been made when it was found */
    enum step_place place;
};

struct step_visits {
    uintptr_t address;
    uint32_t now, most; /* how often in this run; in the longest one */
    uint32_t within;    /* at which visits we have a point within */
    bool is_preferred;  /* its points within come first */
    uint32_t next;      /* the next one that is kept */
};

enum {
    STEP_ADDRESSES = 1 << 16,
    STEP_POINTS = 1 << 20
};

struct step_points {
    struct step_point *all; /* STEP_POINTS, here and in `order` */
    uint32_t *order;        /* indices of `all` */
    size_t n;
    size_t n_steps;             /* of the longest run */
    uint32_t step;              /* of this run */
    size_t n_skipped;           /* met too often to be tried each time */
    size_t n_distinct;          /* addresses */
    struct step_visits *visits; /* STEP_ADDRESSES, hashed by the address */
};

/* Zeroes that children share. */
void *step_share(size_t bytes);

/* In such memory: children find the points. */
void step_points_init(struct step_points *points);
/* A run begins that has made no step yet. */
void step_points_begin(struct step_points *points);
/* It stands before the instruction; what its next step did is told by step_points_add_within. */
void step_points_add(struct step_points *points, uintptr_t address);
void step_points_add_within(struct step_points *points, uintptr_t address);
void step_points_prefer(struct step_points *points, uintptr_t address);
void step_points_add_return(struct step_points *points);
/* Fills `order`: random, but the first ones tell most. */
void step_points_order(struct step_points *points);

#endif
