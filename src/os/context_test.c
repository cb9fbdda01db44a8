/* Tests of contexts.
 * SPDX-License-Identifier: MIT
 */
#include "os/context.h"

#include "test.h"

#include <errno.h>
#include <fenv.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STACK = 256 << 10,
    MANY = PLAIT__SANITIZER_THREADS > 0 ? 500 : 4000, /* the thread sanitizer's are slow */
    SMALL = 32 << 10,
    ROUNDS = 1000
};

static struct plait__context host, one, other;
static int trace[16], traced;

static void *map(size_t bytes)
{
    void *low = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(low != MAP_FAILED);
    return low;
}

static void begin(struct plait__context *context, plait__context_fn *fn, void *arg)
{
    plait__context_make(context, map(STACK), STACK, fn, arg);
}

static struct plait__context *note_twice(void *arg)
{
    trace[traced++] = (int)(intptr_t)arg;
    plait__context_switch(&one, &host);
    trace[traced++] = (int)(intptr_t)arg + 1;
    return &host;
}

TEST(it_begins_at_the_first_switch_and_goes_on_at_the_next)
{
    plait__context_of_thread(&host);
    begin(&one, note_twice, (void *)7);
    CHECK_INT(traced, 0);
    plait__context_switch(&host, &one);
    CHECK_INT(traced, 1);
    CHECK_INT(trace[0], 7);
    plait__context_switch(&host, &one);
    CHECK_INT(traced, 2);
    CHECK_INT(trace[1], 8);
    plait__context_fini(&one);
    plait__context_fini(&host);
}

/* Values that the compiler keeps in registers over a switch: integers, pointers, floating point. */
static uint64_t mix(struct plait__context *self, struct plait__context *to, uint64_t seed)
{
    uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
    double x = (double)seed, y = x * 1.5, z = x / 3;
    long double w = (long double)seed / 7;
    char on_stack[64];

    memset(on_stack, (int)(seed & 0x7f), sizeof on_stack);
    for (int i = 0; i < ROUNDS; i++) {
        a += b ^ (uint64_t)i;
        b += c;
        c ^= d << 1;
        d += e;
        e -= f;
        f += a;
        x += y;
        y -= z / 2;
        z += 1;
        w += 0.25L;
        plait__context_switch(self, to);
        CHECK_INT(on_stack[i % 64], (int)(seed & 0x7f));
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ (uint64_t)(int64_t)x ^ (uint64_t)(int64_t)(y + z) ^
           (uint64_t)(int64_t)w;
}

static uint64_t mixed;

static struct plait__context *mix_seven(void *arg)
{
    (void)arg;
    mixed = mix(&one, &host, 7);
    return &host;
}

/* The same sums with nobody at the other end. */
static struct plait__context *bounce(void *arg)
{
    (void)arg;
    for (;;)
        plait__context_switch(&other, &host);
    return NULL; /* never */
}

TEST(what_was_in_registers_is_there_again)
{
    uint64_t alone_five, alone_seven;

    plait__context_of_thread(&host);
    begin(&other, bounce, NULL);
    alone_five = mix(&host, &other, 5);
    alone_seven = mix(&host, &other, 7);
    begin(&one, mix_seven, NULL);
    CHECK(mix(&host, &one, 5) == alone_five);
    plait__context_switch(&host, &one); /* it was one round behind */
    CHECK(mixed == alone_seven);
    plait__context_fini(&one);
    plait__context_fini(&other);
}

/* Nothing but switches, so that the compiler may leave all of it in registers. */
static double add_up(struct plait__context *self, struct plait__context *to, double seed)
{
    double a = seed, b = a * 2, c = a * 3, d = a * 4, e = a * 5, f = a * 6, g = a * 7, h = a * 8;

    for (int i = 0; i < ROUNDS; i++) {
        a += b;
        b += c / 2;
        c += d / 3;
        d += e / 4;
        e += f / 5;
        f += g / 6;
        g += h / 7;
        h += 1;
        plait__context_switch(self, to);
    }
    return a + b + c + d + e + f + g + h;
}

static double added;

static struct plait__context *add_up_three(void *arg)
{
    (void)arg;
    added = add_up(&one, &host, 3);
    return &host;
}

TEST(floating_point_registers_too)
{
    double alone_three, alone_five;

    plait__context_of_thread(&host);
    begin(&other, bounce, NULL);
    alone_three = add_up(&host, &other, 3);
    alone_five = add_up(&host, &other, 5);
    begin(&one, add_up_three, NULL);
    CHECK(add_up(&host, &one, 5) == alone_five);
    plait__context_switch(&host, &one);
    CHECK(added == alone_three);
    plait__context_fini(&one);
    plait__context_fini(&other);
}

static struct plait__context *keep_errno(void *arg)
{
    (void)arg;
    errno = EXDEV;
    plait__context_switch(&one, &host);
    CHECK_INT(errno, ENOTDIR);
    return &host;
}

TEST(errno_is_not_touched)
{
    plait__context_of_thread(&host);
    begin(&one, keep_errno, NULL);
    errno = EDOM;
    plait__context_switch(&host, &one);
    CHECK_INT(errno, EXDEV);
    errno = ENOTDIR;
    plait__context_switch(&host, &one);
    CHECK_INT(errno, ENOTDIR);
    plait__context_fini(&one);
}

static char printed[128];

static struct plait__context *print_floats(void *arg)
{
    snprintf(printed, sizeof printed, "%.3f %.2Lf %g %s", 3.14159, 2.5L, *(double *)arg, "end");
    return &host;
}

TEST(the_stack_is_aligned_as_floating_point_wants_it)
{
    double value = 1e10;

    plait__context_of_thread(&host);
    begin(&one, print_floats, &value);
    plait__context_switch(&host, &one);
    CHECK_STR(printed, "3.142 2.50 1e+10 end");
    plait__context_fini(&one);
}

static struct plait__context many[MANY];
static long sum;

static struct plait__context *add_often(void *arg)
{
    long i = (long)(intptr_t)arg;

    for (int round = 0; round < 3; round++) {
        sum += i;
        plait__context_switch(&many[i], &many[(i + 1) % MANY]);
    }
    return i + 1 < MANY ? &many[i + 1] : &host;
}

TEST(thousands_take_turns)
{
    char *stacks = map((size_t)MANY * SMALL);

    plait__context_of_thread(&host);
    for (long i = 0; i < MANY; i++)
        plait__context_make(&many[i], stacks + (size_t)i * SMALL, SMALL, add_often,
                            (void *)(intptr_t)i);
    plait__context_switch(&host, &many[0]);
    CHECK_INT(sum, 3L * MANY * (MANY - 1) / 2);
    for (long i = 0; i < MANY; i++)
        plait__context_fini(&many[i]);
}

static int ended;

static struct plait__context *end_at_once(void *arg)
{
    char frame[512];

    (void)arg;
    memset(frame, 'x', sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    ended++;
    return &host;
}

TEST(a_stack_is_used_again_and_again)
{
    void *stack = map(STACK);

    plait__context_of_thread(&host);
    for (int i = 0; i < ROUNDS; i++) {
        plait__context_make(&one, stack, STACK, end_at_once, NULL);
        plait__context_switch(&host, &one);
        plait__context_fini(&one);
    }
    CHECK_INT(ended, ROUNDS);
}

static int turns;

static __attribute__((noinline)) void take_turn(struct plait__context *from,
                                                struct plait__context *to)
{
    plait__context_switch(from, to);
}

static struct plait__context *count_turns(void *arg)
{
    (void)arg;
    for (;;) {
        turns++;
        take_turn(&one, &host);
    }
    return NULL; /* never */
}

TEST(what_another_context_wrote_is_seen_through_a_function)
{
    plait__context_of_thread(&host);
    begin(&one, count_turns, NULL);
    for (int i = 0; i < 5; i++) {
        turns = i * 10;
        take_turn(&host, &one);
        CHECK_INT(turns, i * 10 + 1);
    }
    plait__context_fini(&one);
}

TEST(one_that_never_began_is_forgotten)
{
    plait__context_of_thread(&host);
    for (int i = 0; i < ROUNDS; i++) {
        begin(&one, end_at_once, NULL);
        plait__context_fini(&one);
    }
    CHECK_INT(ended, 0);
}

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char frame[256];

    frame[depth % 256] = (char)depth;
    return depth == 0 ? frame[0] : recurse(depth - 1) + frame[depth % 256] - (char)depth + 1;
}

static int recursed;

static struct plait__context *recurse_deep(void *arg)
{
    recursed = recurse((int)(intptr_t)arg);
    return &host;
}

TEST(it_recurses_as_deep_as_its_stack)
{
    plait__context_of_thread(&host);
    plait__context_make(&one, map(16 << 20), 16 << 20, recurse_deep, (void *)10000);
    plait__context_switch(&host, &one);
    CHECK_INT(recursed, 10000);
    plait__context_fini(&one);
}

TEST(too_deep_hits_the_guard)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        char *low = map(STACK);
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would explain it */
        CHECK_INT(mprotect(low, 4096, PROT_NONE), 0);
        plait__context_of_thread(&host);
        plait__context_make(&one, low, STACK, recurse_deep, (void *)100000);
        plait__context_switch(&host, &one);
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGSEGV);
}

/* By a pointer that may be any function, so that each call has its frame. */
static void (*volatile next_frame)(int depth);

static __attribute__((noinline)) void park_here(int depth)
{
    if (depth > 0)
        next_frame(depth - 1);
    else
        plait__context_switch(&one, &host);
    __asm__ volatile("" : : : "memory"); /* no tail call */
}

static struct plait__context *park_five_deep(void *arg)
{
    (void)arg;
    next_frame = park_here;
    park_here(5);
    return &host;
}

static bool is_in(const void *address, void (*function)(int))
{
    uintptr_t at = (uintptr_t)address, begin_of = (uintptr_t)function;

    return at > begin_of && at < begin_of + 2048;
}

TEST(the_frames_of_a_parked_one_are_told_and_end_where_it_began)
{
    void *frames[64];
    int n, in_park = 0;

    plait__context_of_thread(&host);
    begin(&one, park_five_deep, NULL);
    n = plait__context_backtrace(&one, frames, 64);
    CHECK(n <= 1); /* it has not begun */
    plait__context_switch(&host, &one);
    CHECK_INT(plait__context_backtrace(&one, frames, 0), 0);
    n = plait__context_backtrace(&one, frames, 64);
    CHECK(n == 0 || is_in(frames[0], park_here));
    if (n > 1) { /* a C library that walks stacks */
        for (int i = 0; i < n; i++)
            in_park += is_in(frames[i], park_here);
        CHECK(in_park >= 6);
        CHECK(n <= 10);
        CHECK_INT(plait__context_backtrace(&one, frames, 3), 3);
    }
    plait__context_switch(&host, &one);
    plait__context_fini(&one);
}
