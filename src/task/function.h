/* Functions of the program, named so that another process of the family finds them.
 * SPDX-License-Identifier: MIT
 *
 * A worker has the program's memory as it was when the keeper was made. A function of the program
 * itself has the same address there; one of a shared object is named by that object's path, its
 * build-id and the offset in it, and the worker loads the object if it has not got it.
 */
#ifndef PLAIT__TASK_FUNCTION_H
#define PLAIT__TASK_FUNCTION_H

#include <stdint.h>

struct plait__function;

/* How to find it: *ret is NULL when its address means the same in all processes of ours; else memory
 * of the family heap that is never freed. 0; -EINVAL: it is in no module; -ENOMEM. */
int plait__function_name(uintptr_t address, const struct plait__function **ret);
/* Its address in this process; 0: it is not there. The reason, in words, is then logged. One thread
 * only. */
uintptr_t plait__function_find(const struct plait__function *function);

/* In a forked child. */
void plait__functions_at_fork(void);

#endif
