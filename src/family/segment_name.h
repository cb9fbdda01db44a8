/* Named segments whose name is not a path: they leave nothing.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__FAMILY_SEGMENT_NAME_H
#define PLAIT__FAMILY_SEGMENT_NAME_H

#include "family/segment_open.h"

/* As plait__segment_open_path, by segment->name. -ENOTSUP: there is no /proc, or not ours. */
int plait__segment_open_name(const struct plait__segment_wish *wish, struct plait_segment *segment,
                             struct plait_segment **ret_mapped);

#endif
