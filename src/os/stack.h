/* Memory for the stacks of coroutines.
 * SPDX-License-Identifier: MIT
 *
 * Many stacks are one mapping. The lowest page of each is a guard where one can be had.
 */
#ifndef PLAIT__OS_STACK_H
#define PLAIT__OS_STACK_H

#include <stdbool.h>
#include <stddef.h>

/* What is at the low end of each stack. */
enum {
    PLAIT__GUARD_NONE,      /* memory like the rest: too many mappings already */
    PLAIT__GUARD_PROTECTED, /* a page without access, which costs two mappings of the process */
    PLAIT__GUARD_MARKED,    /* a page that the kernel has marked, which costs none */
};

/* Maps count stacks of stack_bytes each (whole pages, at least two), one above the other: *ret is
 * the lowest one's guard. They take memory once they are touched. 0 or -errno. */
int plait__os_stacks_map(void **ret, size_t count, size_t stack_bytes, unsigned *ret_guards);
void plait__os_stacks_unmap(void *base, size_t count, size_t stack_bytes, unsigned guards);

/* The rest is about one stack low … low + bytes, where low is the page above its guard and the top may
 * be inside a page. */

/* Gives back what is below the topmost keep_bytes, in whole pages; it is zero when it is touched
 * again. 0 or -errno. */
int plait__os_stack_trim(void *low, size_t bytes, size_t keep_bytes);
/* Was it used below there? Cheap: looks at a few words. Nobody runs on it. */
bool plait__os_stack_is_deep(void *low, size_t bytes, size_t keep_bytes);
/* How deep it has been since it was mapped or trimmed, in bytes from its top: down to the lowest page
 * that holds anything but zeroes. */
size_t plait__os_stack_used(const void *low, size_t bytes);

#endif
