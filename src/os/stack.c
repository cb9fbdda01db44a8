/* Memory for the stacks of coroutines.
 * SPDX-License-Identifier: MIT
 */
#include "os/stack.h"
#include "os/memory.h"
#include "os/probe.h"
#include "os/readfile.h"
#include "os/sanitize.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#ifdef PLAIT__ASAN
#    include <sanitizer/asan_interface.h>
#endif
#ifdef PLAIT__HAS_VALGRIND
#    include <valgrind/memcheck.h>
#endif

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

enum {
    USUAL_MAPPINGS = 65530, /* vm.max_map_count where /proc does not say */
    PAGES_AT_ONCE = 256,    /* asked about by one call */
    CANARY_BYTES = 128      /* a frame that is deeper has hardly left all of them zero */
};

/* How many guards by mprotect there are. Atomic, relaxed: a count and no more. */
static size_t n_protected;

/* Half of the mappings that the process may have are the program's; a guard takes two. */
static size_t most_protected(void)
{
    static size_t most; /* atomic, relaxed: everybody finds the same */
    size_t found = __atomic_load_n(&most, __ATOMIC_RELAXED);

    if (found == 0) {
        uint64_t mappings;
        if (plait__os_read_numbers("/proc/sys/vm", "max_map_count", &mappings, 1) != 1)
            mappings = USUAL_MAPPINGS;
        found = mappings > 4 ? (size_t)mappings / 4 : 1;
        __atomic_store_n(&most, found, __ATOMIC_RELAXED);
    }
    return found;
}

static bool mark(char *base, size_t count, size_t stack_bytes, size_t page)
{
    for (size_t i = 0; i < count; i++)
        if (madvise(base + i * stack_bytes, page, MADV_GUARD_INSTALL) < 0)
            return false; /* what is marked already stays so: it is not touched anyway */
    return true;
}

static bool protect(char *base, size_t count, size_t stack_bytes, size_t page)
{
    size_t now = __atomic_add_fetch(&n_protected, count, __ATOMIC_RELAXED), i = 0;

    if (now <= most_protected())
        while (i < count && mprotect(base + i * stack_bytes, page, PROT_NONE) == 0)
            i++;
    if (i == count)
        return true;
    /* all or none: one mapping again */
    if (i > 0)
        mprotect(base, count * stack_bytes, PROT_READ | PROT_WRITE);
    __atomic_sub_fetch(&n_protected, count, __ATOMIC_RELAXED);
    return false;
}

int plait__os_stacks_map(void **ret, size_t count, size_t stack_bytes, unsigned *ret_guards)
{
    size_t page = plait__os_page_bytes(), bytes;
    void *base;

    if (count == 0 || stack_bytes < 2 * page || stack_bytes % page != 0)
        return -EINVAL;
    if (__builtin_mul_overflow(count, stack_bytes, &bytes))
        return -ENOMEM;
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return -errno;
    madvise(base, bytes, MADV_NOHUGEPAGE); /* a huge page is the memory of many stacks */
    if (plait__probe_has(PLAIT__PROBE_GUARD_MARKS) && mark(base, count, stack_bytes, page))
        *ret_guards = PLAIT__GUARD_MARKED;
    else if (protect(base, count, stack_bytes, page))
        *ret_guards = PLAIT__GUARD_PROTECTED;
    else
        *ret_guards = PLAIT__GUARD_NONE;
    *ret = base;
    return 0;
}

void plait__os_stacks_unmap(void *base, size_t count, size_t stack_bytes, unsigned guards)
{
    munmap(base, count * stack_bytes);
    if (guards == PLAIT__GUARD_PROTECTED)
        __atomic_sub_fetch(&n_protected, count, __ATOMIC_RELAXED);
}

static uintptr_t end_of_trimmed(const void *low, size_t bytes, size_t keep_bytes)
{
    size_t given = keep_bytes < bytes ? bytes - keep_bytes : 0;

    return ((uintptr_t)low + given) & ~(uintptr_t)(plait__os_page_bytes() - 1);
}

int plait__os_stack_trim(void *low, size_t bytes, size_t keep_bytes)
{
    uintptr_t end = end_of_trimmed(low, bytes, keep_bytes);

    if (end <= (uintptr_t)low)
        return 0;
    return madvise(low, end - (uintptr_t)low, MADV_DONTNEED) < 0 ? -errno : 0;
}

/* For the tools: a coroutine that has ended left its frames' marks. */
static void make_plain(void *low, size_t bytes, const void *canary)
{
    (void)low;
    (void)bytes;
    (void)canary;
#ifdef PLAIT__ASAN
    __asan_unpoison_memory_region(low, bytes);
#endif
#ifdef PLAIT__HAS_VALGRIND
    VALGRIND_MAKE_MEM_DEFINED(canary, CANARY_BYTES);
#endif
}

bool plait__os_stack_is_deep(void *low, size_t bytes, size_t keep_bytes)
{
    uintptr_t end = end_of_trimmed(low, bytes, keep_bytes);
    const uint64_t *words = (const uint64_t *)(end - CANARY_BYTES);
    uint64_t any = 0;

    if (end < (uintptr_t)low + CANARY_BYTES)
        return false;
    make_plain(low, bytes, words);
    for (size_t i = 0; i < CANARY_BYTES / sizeof *words; i++)
        any |= words[i];
    return any != 0;
}

static bool is_zero(const char *bytes, size_t n)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0;
}

/* The lowest address from `at` on where memory is; end: there is none. */
static uintptr_t find_memory(uintptr_t at, uintptr_t end, size_t page)
{
    unsigned char there[PAGES_AT_ONCE];

    while (at < end) {
        size_t n = (end - at + page - 1) / page;
        n = n < PAGES_AT_ONCE ? n : PAGES_AT_ONCE;
        if (mincore((void *)at, n * page, there) < 0)
            return at;
        for (size_t i = 0; i < n; i++, at += page)
            if ((there[i] & 1) != 0)
                return at;
    }
    return end;
}

size_t plait__os_stack_used(const void *low, size_t bytes)
{
    size_t page = plait__os_page_bytes();
    uintptr_t end = (uintptr_t)low + bytes, last = (end - 1) & ~(page - 1);
    uintptr_t at = find_memory((uintptr_t)low, end, page);

    /* a page that was only read is there too */
    while (at < last && is_zero((const char *)at, page))
        at = find_memory(at + page, end, page);
    return end - at;
}
