/* Which way of switching contexts is this machine's. -DPLAIT__CONTEXT_UCONTEXT: the C library's.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_CONTEXT_MACHINE_H
#define PLAIT__OS_CONTEXT_MACHINE_H

#if defined(__x86_64__) && defined(__LP64__) && !defined(PLAIT__CONTEXT_UCONTEXT)
#    define PLAIT__CONTEXT_X86_64 1
#elif defined(__aarch64__) && defined(__LP64__) && !defined(PLAIT__CONTEXT_UCONTEXT)
#    define PLAIT__CONTEXT_AARCH64 1
#else
#    define PLAIT__CONTEXT_BY_LIBC 1
#endif

#endif
