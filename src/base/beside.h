/* Data that a new process writes on its way to its function and back.
 * SPDX-License-Identifier: MIT
 *
 * After a fork the first write to each page copies it, which takes as long as twenty system calls. So what
 * each of them writes stands together, with what has a value from the beginning: that is little.
 */
#ifndef PLAIT__BASE_BESIDE_H
#define PLAIT__BASE_BESIDE_H

#define PLAIT__BESIDE __attribute__((section(".data")))

#endif
