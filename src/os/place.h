/* Places in the program's code, for people to read.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_PLACE_H
#define PLAIT__OS_PLACE_H

#include <stddef.h>

/* "FUNCTION+0x12 (FILE+0x3456)" of a return address; without "FUNCTION+0x12" where the program
 * exports no symbols (link it with -rdynamic), and only a number where not even the file is known.
 * `addr2line -fe FILE 0x3456` gives the line. */
void plait__os_place_write(const void *address, char *ret, size_t cap);

#endif
