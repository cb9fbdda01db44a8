/* What the sanitizers need to know of us, and we of them.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_SANITIZE_H
#define PLAIT__OS_SANITIZE_H

#if defined(__SANITIZE_THREAD__)
#    define PLAIT__TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define PLAIT__TSAN 1
#    endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#    define PLAIT__ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define PLAIT__ASAN 1
#    endif
#endif

#ifdef PLAIT__TSAN
/* Its background thread, and in a forked child another one as soon as a thread is started there. */
enum {
    PLAIT__SANITIZER_THREADS = 2
};
#else
enum {
    PLAIT__SANITIZER_THREADS = 0
};
#endif

#endif
