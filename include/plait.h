/* All of plait.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_H
#define PLAIT_H

#include <plait/cpu.h>
#include <plait/error.h>
#include <plait/export.h>
#include <plait/init.h>
#include <plait/log.h>
#include <plait/pipe.h>
#include <plait/shared.h>
#include <plait/task.h>
#include <plait/time.h>

#endif
