/* The line that the kernel has on each process and thread: /proc/…/stat.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_STAT_LINE_H
#define PLAIT__OS_STAT_LINE_H

enum {
    PLAIT__STAT_BYTES = 1500 /* room for the longest line, with its NUL */
};

/* Some of its words, counted from the state on. */
enum plait__stat_word {
    PLAIT__STAT_FLAGS = 6,
    PLAIT__STAT_THREADS = 17,
    PLAIT__STAT_ENV_START = 47,
    PLAIT__STAT_ENV_END = 48,
};

/* Of the flags. */
enum {
    PLAIT__STAT_EXITING = 0x4, /* it runs nothing of the program's any more */
    PLAIT__STAT_OF_THE_KERNEL = 0x200000,
};

/* The number that a word is; 0 when the line has not so many. */
unsigned long long plait__os_stat_number(const char *line, enum plait__stat_word word);

#endif
