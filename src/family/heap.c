/* The family heap: blocks.
 * SPDX-License-Identifier: MIT
 *
 * A block of more than 8 KiB is a run of units of its own. Smaller ones come out of slabs, runs of
 * 64 KiB with blocks of one size and one bit for each: set, the block is allocated.
 *
 * Only the owner of a slab, one member, sets bits, with the lock between the threads of its process
 * held; anybody clears them. A slab that is found full is let go of, and belongs to nobody until
 * somebody looks for room again. The number of the block that is about to be taken is written into
 * the slab before its bit is set, and is 0 again as soon as it is the caller's. So whoever adopts
 * the slab of a dead member, which one alone can do, knows whether a block was in hand, and clears
 * its bit; doing that twice does no harm, as nobody sets bits in between.
 */
#include "family/heap.h"
#include "base/assert.h"
#include "family/runs.h"
#include "os/cpu.h"

#include <plait/shared.h>

#include <errno.h>
#include <sched.h>
#include <string.h>

enum {
    SLAB_BYTES = 64 << 10,
    SMALL_MOST = 8 << 10,
    CLASSES = 32,     /* of sizes: each 16 bytes up to 128, then a quarter of a doubling */
    FINE_CLASSES = 8, /* those up to 128 */
    WORDS = 64,
    SPINS = 100, /* before the CPU is offered to others */
    LOOKS = 256, /* runs that are looked at before a slab is made */
    PROOFS = 4,  /* deaths that are asked for meanwhile: system calls */
};

/* How often may be asked who is dead, and the last answer. */
struct proofs {
    int left;
    uint32_t member;
    bool is_dead;
};

/* At the beginning of a slab; the blocks follow. Their number is at most 64 * WORDS. */
struct slab {
    uint32_t taking; /* atomic: owner: 1 + the block that is in its hands; 0: none */
    uint32_t hint;   /* owner: the word that had room */
    uint32_t spare[14];
    uint64_t used[WORDS]; /* atomic: owner sets, anybody clears; set behind the last block */
};

_Static_assert(CLASSES == sizeof plait__self->heap_slabs / sizeof *plait__self->heap_slabs,
               "this process knows a slab of each size");

/* ---- sizes ---- */

/* A class of sizes; divisions are made at compile time. */
struct size {
    uint32_t bytes;
    uint32_t count;   /* of blocks in a slab */
    uint64_t inverse; /* 2^32 / bytes, rounded up: exact for what is less than 64 KiB */
};

#define SIZE(n)                                                                    \
    {                                                                              \
        n, (SLAB_BYTES - sizeof(struct slab)) / (n), (UINT64_C(1) << 32) / (n) + 1 \
    }
#define QUARTER(n) SIZE((n) + (n) / 4), SIZE((n) + (n) / 2), SIZE((n) + (n) / 4 * 3), SIZE((n)*2)

static const struct size sizes[CLASSES] = {
    SIZE(16),     SIZE(32),      SIZE(48),      SIZE(64),      SIZE(80),
    SIZE(96),     SIZE(112),     SIZE(128),     QUARTER(128),  QUARTER(256),
    QUARTER(512), QUARTER(1024), QUARTER(2048), QUARTER(4096),
};

static uint32_t class_of(size_t bytes)
{
    uint32_t doublings;

    if (bytes <= 16 * FINE_CLASSES)
        return (uint32_t)(bytes + 15) / 16 - 1;
    doublings = 63 - (uint32_t)__builtin_clzll(bytes - 1) - 7;
    return FINE_CLASSES + 4 * doublings +
           (uint32_t)((bytes - 1 - ((size_t)128 << doublings)) >> (5 + doublings));
}

static uint32_t bytes_of(uint32_t class)
{
    return sizes[class].bytes;
}

static uint32_t count_of(uint32_t class)
{
    return sizes[class].count;
}

static uint32_t words_of(uint32_t class)
{
    return (count_of(class) + 63) / 64;
}

/* The bits of a word that stand for blocks. */
static uint64_t blocks_in(uint32_t class, uint32_t word)
{
    uint32_t rest = count_of(class) - word * 64;

    return rest < 64 ? (UINT64_C(1) << rest) - 1 : UINT64_MAX;
}

static uint32_t slab_units(void)
{
    return SLAB_BYTES >> plait__runs()->shift;
}

static struct slab *slab_at(uint32_t unit)
{
    return (struct slab *)(void *)plait__run_memory(unit);
}

static uint64_t load(uint32_t unit)
{
    return __atomic_load_n(plait__run_at(unit), __ATOMIC_SEQ_CST);
}

static uint32_t known(void)
{
    return (uint32_t)__atomic_load_n(&plait__runs()->known, __ATOMIC_ACQUIRE);
}

/* Acquires what those who cleared bits released: the blocks are no longer used. */
static uint64_t used(const struct slab *slab, uint32_t word)
{
    return __atomic_load_n(&slab->used[word], __ATOMIC_ACQUIRE);
}

static uint32_t count_used(const struct slab *slab, uint32_t class)
{
    uint32_t n = 0;

    for (uint32_t word = 0; word < words_of(class); word++)
        n += (uint32_t)__builtin_popcountll(used(slab, word) & blocks_in(class, word));
    return n;
}

/* ---- owning slabs ---- */

/* The last owner may have died with a block in hand. pre: the slab is ours. */
static void settle(struct slab *slab)
{
    uint32_t taking = __atomic_load_n(&slab->taking, __ATOMIC_RELAXED);
    uint64_t bit;

    if (taking == 0)
        return;
    bit = UINT64_C(1) << (taking - 1) % 64;
    if (__atomic_fetch_and(&slab->used[(taking - 1) / 64], ~bit, __ATOMIC_ACQ_REL) & bit)
        __atomic_fetch_add(&plait__runs()->rescued, 1, __ATOMIC_RELAXED);
    /* behind the bit: else it would be lost */
    __atomic_store_n(&slab->taking, 0, __ATOMIC_RELEASE);
}

/* From nobody or a dead member to us. False: somebody else was faster. */
static bool adopt(uint32_t unit, uint64_t word)
{
    if (!plait__run_change(unit, word, plait__run_of_member(word, plait__member_self())))
        return false;
    settle(slab_at(unit));
    return true;
}

/* pre: ours. The flag is only a hint: blocks may have become free since we looked. */
static void let_go(uint32_t unit, bool is_full)
{
    uint64_t word = load(unit), made;

    made = plait__run_make(PLAIT__RUN_SLAB, is_full, plait__run_units(word));
    made |= (uint64_t)plait__run_class(word) << 4;
    __atomic_store_n(plait__run_at(unit), made, __ATOMIC_SEQ_CST);
}

static bool is_dead(uint32_t member, struct proofs *proofs)
{
    if (member != proofs->member) {
        if (proofs->left == 0)
            return false;
        proofs->left--;
        proofs->member = member;
        proofs->is_dead = plait__member_is_dead(member);
    }
    return proofs->is_dead;
}

/* Is it a slab without a living owner? */
static bool is_adoptable(uint64_t word, struct proofs *proofs)
{
    uint32_t owner = plait__run_member(word);

    if (plait__run_kind(word) != PLAIT__RUN_SLAB || owner == plait__member_self())
        return false; /* ours: another thread has it */
    return owner == 0 || is_dead(owner, proofs);
}

/* A run that is BUSY of ours becomes a slab of ours. */
static void make_slab(uint32_t unit, uint32_t class)
{
    struct slab *slab = slab_at(unit);
    uint64_t made = plait__run_make(PLAIT__RUN_SLAB, false, slab_units()) | (uint64_t) class << 4;

    memset(slab, 0, sizeof *slab);
    for (uint32_t word = 0; word < WORDS; word++)
        slab->used[word] = word < words_of(class) ? ~blocks_in(class, word) : UINT64_MAX;
    __atomic_store_n(plait__run_at(unit), plait__run_of_member(made, plait__member_self()),
                     __ATOMIC_RELEASE);
}

/* Is there room in a slab that we just adopted? Else it is let go of. */
static bool has_room(uint32_t unit, uint32_t class)
{
    if (count_used(slab_at(unit), class) < count_of(class))
        return true;
    let_go(unit, true);
    return false;
}

/* Looks on, from where the last look of the family ended, for a slab with room; at no more than so
 * many runs. */
static bool find_slab(uint32_t class, uint32_t looks, uint32_t *ret_unit)
{
    uint64_t *next = &plait__runs()->next;
    struct proofs proofs = { .left = PROOFS };
    uint32_t end = known(), unit = (uint32_t)__atomic_load_n(next, __ATOMIC_RELAXED);
    bool is_found = false;

    for (uint32_t i = 0, step; i < looks && i < end && !is_found; i++, unit += step) {
        unit = unit < end ? unit : 0;
        uint64_t word = load(unit);
        step = plait__run_kind(word) == PLAIT__RUN_INSIDE ? 1 : plait__run_units(word);
        is_found = plait__run_class(word) == class && !plait__run_flag(word) &&
                   is_adoptable(word, &proofs) && adopt(unit, word) && has_room(unit, class);
        *ret_unit = unit;
    }
    __atomic_store_n(next, unit, __ATOMIC_RELAXED);
    return is_found;
}

/* ---- when memory is short ---- */

/* Takes what the dead had, and empty slabs, and gives them to all. */
static void gather(void)
{
    struct proofs proofs = { .left = INT32_MAX };
    uint32_t end = known();

    for (uint32_t unit = 0; unit < end; unit++) {
        uint64_t word = load(unit);
        if (plait__run_kind(word) == PLAIT__RUN_BUSY && is_dead(plait__run_member(word), &proofs))
            plait__run_rescue(unit, word);
        if (!is_adoptable(word, &proofs) || !adopt(unit, word))
            continue;
        uint32_t class = plait__run_class(word), n = count_used(slab_at(unit), class);
        if (n == 0)
            plait__run_give(unit, load(unit));
        else
            let_go(unit, n == count_of(class));
    }
}

int plait__heap_take_run(uint32_t units, uint32_t *ret_unit, bool *ret_is_zero)
{
    int rc = plait__run_take(units, ret_unit, ret_is_zero);

    if (rc == 0)
        return 0;
    gather();
    plait__runs_cool();
    return plait__run_take(units, ret_unit, ret_is_zero);
}

/* ---- small blocks ---- */

/* A slab with room, ours: its unit or -ENOMEM. */
static int get_slab(uint32_t class, uint32_t *ret_unit)
{
    bool is_zero;
    int rc;

    if (find_slab(class, LOOKS, ret_unit))
        return 0;
    rc = plait__heap_take_run(slab_units(), ret_unit, &is_zero);
    if (rc == 0)
        make_slab(*ret_unit, class);
    else if (find_slab(class, UINT32_MAX, ret_unit))
        return 0;
    return rc;
}

/* A block of our slab, or NULL: it is full. pre: the lock of this process. */
static void *take_block(uint32_t unit, uint32_t class, size_t zeroes)
{
    struct slab *slab = slab_at(unit);
    uint32_t words = words_of(class), word = slab->hint;

    for (uint32_t i = 0; i < words; i++, word = word + 1 < words ? word + 1 : 0) {
        uint64_t bits = used(slab, word);
        if (bits == UINT64_MAX)
            continue;
        uint32_t bit = (uint32_t)__builtin_ctzll(~bits), block = word * 64 + bit;
        char *memory = (char *)(slab + 1) + (size_t)block * bytes_of(class);
        __atomic_store_n(&slab->taking, block + 1, __ATOMIC_RELAXED);
        __atomic_fetch_or(&slab->used[word], UINT64_C(1) << bit, __ATOMIC_ACQ_REL);
        slab->hint = word;
        memset(memory, 0, zeroes);
        __atomic_store_n(&slab->taking, 0, __ATOMIC_RELEASE); /* from now on it is the caller's */
        return memory;
    }
    return NULL;
}

/* Between the threads of this process; a forked child finds it free. */
static void lock_process(void)
{
    uint32_t *lock = &plait__myself()->heap_lock;

    for (unsigned round = 0; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) != 0; round++) {
        if (round < SPINS)
            plait__os_cpu_relax();
        else
            sched_yield();
    }
}

static void unlock_process(void)
{
    __atomic_store_n(&plait__myself()->heap_lock, 0, __ATOMIC_RELEASE);
}

static void *alloc_small(size_t bytes, bool is_zeroed)
{
    uint32_t class = class_of(bytes), *current = &plait__myself()->heap_slabs[class], unit;
    void *block = NULL;

    lock_process();
    while (block == NULL) {
        if (*current == 0) {
            if (get_slab(class, &unit) < 0)
                break;
            *current = unit + 1;
        }
        block = take_block(*current - 1, class, is_zeroed ? bytes : 0);
        if (block == NULL) {
            let_go(*current - 1, true);
            *current = 0;
        }
    }
    unlock_process();
    return block;
}

static void *alloc_large(size_t bytes, bool is_zeroed)
{
    unsigned shift = (unsigned)plait__runs()->shift;
    size_t units = (bytes >> shift) + (bytes % ((size_t)1 << shift) != 0);
    uint32_t unit;
    bool is_zero;

    if (units > plait__runs()->count || plait__heap_take_run((uint32_t)units, &unit, &is_zero) < 0)
        return NULL;
    if (is_zeroed && !is_zero)
        memset(plait__run_memory(unit), 0, bytes);
    __atomic_store_n(plait__run_at(unit), plait__run_make(PLAIT__RUN_LARGE, false, (uint32_t)units),
                     __ATOMIC_RELEASE);
    return plait__run_memory(unit);
}

static void *alloc(size_t bytes, bool is_zeroed)
{
    if (bytes == 0 || plait__runs_open() < 0)
        return NULL;
    return bytes <= SMALL_MOST ? alloc_small(bytes, is_zeroed) : alloc_large(bytes, is_zeroed);
}

void *plait__heap_alloc(size_t bytes)
{
    return alloc(bytes, false);
}

void *plait_shared_alloc(size_t bytes)
{
    return alloc(bytes, true);
}

/* ---- giving back ---- */

/* The slab may be empty, and has no owner. */
static void retire(uint32_t unit)
{
    uint64_t word = load(unit);
    uint32_t self = plait__member_self();

    if (self == 0 || plait__run_kind(word) != PLAIT__RUN_SLAB || plait__run_member(word) != 0 ||
        !adopt(unit, word))
        return;
    if (count_used(slab_at(unit), plait__run_class(word)) == 0)
        plait__run_give(unit, load(unit));
    else
        let_go(unit, false);
}

static int free_small(uint32_t unit, uint64_t word, size_t offset)
{
    uint32_t class = plait__run_class(word), block;
    struct slab *slab = slab_at(unit);
    uint64_t bit, old;

    if (offset < sizeof *slab)
        return -EINVAL;
    block = (uint32_t)((offset - sizeof *slab) * sizes[class].inverse >> 32);
    if (sizeof *slab + block * sizes[class].bytes != offset || block >= count_of(class))
        return -EINVAL;
    bit = UINT64_C(1) << block % 64;
    old = __atomic_fetch_and(&slab->used[block / 64], ~bit, __ATOMIC_SEQ_CST);
    if (!(old & bit))
        return -EINVAL;
    /* without blocks of the caller's, the slab may become anything from here on */
    word = load(unit);
    if (plait__run_kind(word) != PLAIT__RUN_SLAB || plait__run_member(word) != 0)
        return 0;
    if (plait__run_flag(word))
        plait__run_change(unit, word, word & ~plait__run_make(0, true, 0));
    if ((old & ~bit & blocks_in(class, block / 64)) == 0)
        retire(unit);
    return 0;
}

/* The run that a unit belongs to, if that can hold blocks: its first unit. */
static bool find_run(uint32_t unit, uint32_t *ret_first, uint64_t *ret_word)
{
    uint32_t first = unit;
    uint64_t word;

    if (unit >= known())
        return false;
    for (;; first--) {
        word = load(first);
        if (plait__run_kind(word) != PLAIT__RUN_INSIDE)
            break;
        if (first == 0 || unit - first >= slab_units())
            return false;
    }
    *ret_first = first;
    *ret_word = word;
    return plait__run_kind(word) == PLAIT__RUN_SLAB ||
           (plait__run_kind(word) == PLAIT__RUN_LARGE && first == unit);
}

int plait_shared_free(void *ptr)
{
    struct plait__runs *runs;
    uint32_t unit;
    uint64_t word;
    size_t offset;

    if (ptr == NULL)
        return 0;
    if (!plait__family_has(ptr))
        return -EINVAL;
    runs = plait__runs();
    if (__atomic_load_n(&runs->count, __ATOMIC_ACQUIRE) == 0 || (char *)ptr < plait__run_memory(0))
        return -EINVAL;
    offset = (size_t)((char *)ptr - plait__run_memory(0));
    if (!find_run((uint32_t)(offset >> runs->shift), &unit, &word))
        return -EINVAL;
    offset -= (size_t)unit << runs->shift;
    if (plait__run_kind(word) == PLAIT__RUN_SLAB)
        return free_small(unit, word, offset);
    return offset == 0 && plait__run_give(unit, word) ? 0 : -EINVAL;
}

/* ---- statistics ---- */

static void add_run(plait_shared_usage *usage, uint32_t unit, uint64_t word)
{
    enum plait__run_kind kind = plait__run_kind(word);
    uint64_t bytes = (uint64_t)plait__run_units(word) << plait__runs()->shift, n = 1;

    if (kind == PLAIT__RUN_INSIDE || (kind == PLAIT__RUN_FREE && !plait__run_flag(word)))
        return;
    usage->committed_bytes += bytes;
    if (kind == PLAIT__RUN_SLAB) {
        n = count_used(slab_at(unit), plait__run_class(word));
        bytes = n * bytes_of(plait__run_class(word));
    } else if (kind != PLAIT__RUN_LARGE) {
        return;
    }
    usage->used_bytes += bytes;
    usage->blocks += n;
}

int plait_shared_stats_sized(plait_shared_usage *ret, size_t ret_bytes)
{
    plait_shared_usage usage = { 0 };
    uint32_t end;
    int rc;

    if (ret == NULL)
        return -EINVAL;
    rc = plait__runs_open();
    if (rc < 0)
        return rc;
    gather();
    end = known();
    usage.reserved_bytes = plait__family()->shared.bytes;
    usage.committed_bytes = plait__runs()->table + end * sizeof(uint64_t);
    for (uint32_t unit = 0; unit < end; unit++)
        add_run(&usage, unit, load(unit));
    usage.rescued = __atomic_load_n(&plait__runs()->rescued, __ATOMIC_RELAXED);
    memset(ret, 0, ret_bytes);
    memcpy(ret, &usage, ret_bytes < sizeof usage ? ret_bytes : sizeof usage);
    return 0;
}
