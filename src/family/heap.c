/* The family heap.
 * SPDX-License-Identifier: MIT
 */
#include "family/member.h"
