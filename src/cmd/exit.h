/* The exit codes of the tool, the same for every verb.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_EXIT_H
#define PLAIT__CMD_EXIT_H

enum cmd_exit {
    CMD_EXIT_OK = 0,
    CMD_EXIT_FAILED = 1,           /* some task failed */
    CMD_EXIT_USAGE = 2,            /* the command line was wrong */
    CMD_EXIT_CONNECT = 3,          /* cannot connect or authenticate */
    CMD_EXIT_TIMEOUT = 4,          /* timed out, or empty */
    CMD_EXIT_HALTED = 5,           /* stopped by --halt */
    CMD_EXIT_ERROR = 125,          /* plait itself failed */
    CMD_EXIT_NOT_EXECUTABLE = 126, /* as env(1) and the shells say it */
    CMD_EXIT_NOT_FOUND = 127,
    CMD_EXIT_SIGNAL = 128, /* plus the number of the signal */
};

#endif
