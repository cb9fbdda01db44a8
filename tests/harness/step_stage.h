/* The processes of one kill: a survivor that makes them, a victim, perhaps a partner.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_STEP_STAGE_H
#define PLAIT_TESTS_STEP_STAGE_H

#include "step.h"
#include "step_points.h"
#include "trace.h"

struct step_stage {
    const struct step_call *call;
    void *state;
    struct trace victim, partner;
    bool has_partner;  /* stopped within its work */
    size_t n_steps;    /* of the victim */
    unsigned patience; /* so many looks at the sleeping victim before it is helped */
};

/* All in the survivor. It has SIGCHLD blocked, and `mask` is what the others get. */
void step_stage_start_victim(struct step_stage *stage, const sigset_t *mask);
/* A partner, stopped at the point; NULL: at its beginning. */
void step_stage_start_partner(struct step_stage *stage, const sigset_t *mask,
                              const struct step_point *point);

/* Steps through the whole call, or all of the partner's work, and adds its points: how many steps. */
size_t step_stage_survey(struct step_stage *stage, struct step_points *points);
size_t step_stage_survey_partner(struct step_stage *stage, struct step_points *points);

/* Takes the victim to the point: by a breakpoint; or by steps, as when the point was found, since a
 * wait that has become too long by that takes another way. What was reached. */
struct step_result step_stage_reach(struct step_stage *stage, const struct step_point *point,
                                    bool by_steps);
/* Kills the victim, and waits for the partner. */
void step_stage_end(struct step_stage *stage);

#endif
