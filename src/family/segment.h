/* Named segments: opening and closing.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__FAMILY_SEGMENT_H
#define PLAIT__FAMILY_SEGMENT_H

#include "family/segment_open.h"

/* Opens it, or makes it, and maps it. Joins the family.
 * 0 · -EAGAIN: somebody else is at it for a moment: again · what plait_segment_open says. */
int plait__segment_try_open(const struct plait__segment_wish *wish, struct plait_segment **ret);

/* As often as it was opened; then it is unmapped. 0; -EINVAL: not open. */
int plait__segment_close(struct plait_segment *segment);

#endif
