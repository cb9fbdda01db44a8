/* Which plait this is.
 * SPDX-License-Identifier: MIT
 *
 * The version is CMakeLists.txt's (a test compares them). The date is the version's: a constant, so
 * that two builds of one source give the same man pages.
 */
#ifndef PLAIT__CMD_VERSION_H
#define PLAIT__CMD_VERSION_H

#define CMD_VERSION      "0.1.0"
#define CMD_VERSION_DATE "2025-11-21"

#endif
