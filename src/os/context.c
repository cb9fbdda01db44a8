/* Stackful contexts: how they begin and end, and what tools are told of them.
 * SPDX-License-Identifier: MIT
 */
#include "os/context.h"

#ifdef PLAIT__ASAN
#    include <pthread.h>
#    include <sanitizer/asan_interface.h>
#endif
#ifdef PLAIT__HAS_VALGRIND
#    include <valgrind/valgrind.h>
#endif

#ifdef PLAIT__ASAN
static void tell_bounds_of_thread(struct plait__context *context)
{
    pthread_attr_t attr;
    void *low;

    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return;
    if (pthread_attr_getstack(&attr, &low, &context->bytes) == 0)
        context->low = low;
    pthread_attr_destroy(&attr);
}

#endif

#if defined(PLAIT__ASAN) || defined(PLAIT__TSAN)
/* The first thing on a stack, and the last one: the sanitizer hears of both switches. After that it
 * must not see a return. */
static struct plait__context *begin(void *arg)
{
    struct plait__context *self = arg, *to;

#    ifdef PLAIT__ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#    endif
    to = self->fn(self->arg);
#    ifdef PLAIT__ASAN
    __sanitizer_start_switch_fiber(NULL, to->low, to->bytes);
#    endif
#    ifdef PLAIT__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#    endif
    plait__context_jump(&to->cpu);
}
#endif

void plait__context_of_thread(struct plait__context *ret)
{
    *ret = (struct plait__context){ 0 };
#ifdef PLAIT__ASAN
    tell_bounds_of_thread(ret);
#endif
#ifdef PLAIT__TSAN
    ret->fiber = __tsan_get_current_fiber();
#endif
}

void plait__context_make(struct plait__context *ret, void *low, size_t bytes, plait__context_fn *fn,
                         void *arg)
{
    *ret = (struct plait__context){ 0 };
#ifdef PLAIT__HAS_VALGRIND
    if (RUNNING_ON_VALGRIND)
        ret->tag = VALGRIND_STACK_REGISTER(low, (char *)low + bytes) + 1;
#endif
    plait__context_again(ret, low, bytes, fn, arg);
}

#if defined(PLAIT__ASAN) || defined(PLAIT__TSAN)
void plait__context_again(struct plait__context *ret, void *low, size_t bytes,
                          plait__context_fn *fn, void *arg)
{
#    ifdef PLAIT__ASAN
    __asan_unpoison_memory_region(low, bytes); /* what another one has left there */
    ret->low = low;
    ret->bytes = bytes;
#    endif
#    ifdef PLAIT__TSAN
    if (ret->owns_fiber)
        __tsan_destroy_fiber(ret->fiber);
    ret->fiber = __tsan_create_fiber(0);
    ret->owns_fiber = true;
#    endif
    ret->fn = fn;
    ret->arg = arg;
    plait__context_prepare(&ret->cpu, low, bytes, begin, ret);
}
#endif

void plait__context_anything(void)
{
}

void plait__context_fini(struct plait__context *context)
{
#ifdef PLAIT__HAS_VALGRIND
    if (context->tag != 0)
        VALGRIND_STACK_DEREGISTER(context->tag - 1);
#endif
#ifdef PLAIT__TSAN
    if (context->owns_fiber)
        __tsan_destroy_fiber(context->fiber);
#endif
    *context = (struct plait__context){ 0 };
}

int plait__context_backtrace(const struct plait__context *parked, void **ret, int max)
{
    return plait__context_trace(&parked->cpu, ret, max);
}
