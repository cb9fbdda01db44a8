/* Lists of a fixed length in shared memory.
 * SPDX-License-Identifier: MIT
 *
 *     struct plait_shared_list    count, the lock of those who set
 *     struct slot                 one for each: where its two values are, and which is the current
 *     words of 8 bytes            of each slot: a value, and another value
 *
 * A value is a word that says its type and size, and the words of its bytes. With `version` v the
 * value v & 1 is the current one. A set writes `begun` = v + 1, then the other value, then
 * `version` = v + 1. So what a reader of version v reads is whole as long as v + 2 has not begun:
 * that it looks at last. Until then a whole set must pass, which takes as long as its own copying;
 * so it will hardly ever have to begin again, and never wait.
 *
 * The words of values are written with release and read with acquire: who reads a word of v + 2
 * will see that it has begun. No set is ever half done: `version` is one store. Hence nothing is
 * to be repaired when a setter was killed with the lock, and the next one writes over what it left.
 */
#include <plait/shared_list.h>

#include "sync/owned.h"

#include <plait/shared.h>

#include <errno.h>

enum {
    WORD = sizeof(uint64_t),
    TYPE_BITS = 3,
    PATIENCE_MS = 100, /* for another task that sets, whatever the deadline */
};

/* No size is ever larger: sums of a few of them do not overflow. */
#define MOST_BYTES (SIZE_MAX / 8)

struct slot {
    uint64_t first;   /* const: of its words, counted from the beginning of the list */
    uint64_t room;    /* const: bytes of a value; a multiple of WORD */
    uint64_t version; /* atomic: set under the lock */
    uint64_t begun;   /* atomic: set under the lock */
};

struct plait_shared_list {
    uint64_t count; /* const */
    uint32_t lock;  /* who sets */
    uint32_t spare;
    struct slot slots[];
};

/* ---- values ---- */

static bool has_bytes(const plait_shared_value *value)
{
    return value->type == PLAIT_SHARED_STR || value->type == PLAIT_SHARED_BYTES;
}

static bool is_value(const plait_shared_value *value)
{
    if ((unsigned)value->type > PLAIT_SHARED_BYTES)
        return false;
    return !has_bytes(value) || value->bytes != NULL || value->size == 0;
}

/* The one word of a value that has no bytes. */
static uint64_t word_of(const plait_shared_value *value)
{
    uint64_t word = 0;

    if (value->type == PLAIT_SHARED_BOOL)
        word = value->boolean;
    else if (value->type == PLAIT_SHARED_INT64)
        word = (uint64_t)value->integer;
    else if (value->type == PLAIT_SHARED_DOUBLE)
        memcpy(&word, &value->real, WORD);
    return word;
}

static void take_word(plait_shared_value *value, uint64_t word)
{
    if (value->type == PLAIT_SHARED_BOOL)
        value->boolean = word != 0;
    else if (value->type == PLAIT_SHARED_INT64)
        value->integer = (int64_t)word;
    else if (value->type == PLAIT_SHARED_DOUBLE)
        memcpy(&value->real, &word, WORD);
}

/* ---- words ---- */

static void write_words(uint64_t *words, const char *from, size_t n)
{
    for (size_t at = 0; at < n; at += WORD) {
        uint64_t word = 0;
        memcpy(&word, from + at, n - at < WORD ? n - at : WORD);
        __atomic_store_n(&words[at / WORD], word, __ATOMIC_RELEASE);
    }
}

static void read_words(const uint64_t *words, char *to, size_t n)
{
    for (size_t at = 0; at < n; at += WORD) {
        uint64_t word = __atomic_load_n(&words[at / WORD], __ATOMIC_ACQUIRE);
        memcpy(to + at, &word, n - at < WORD ? n - at : WORD);
    }
}

/* The words of a slot's value of that version. */
static uint64_t *words_of(const plait_shared_list *list, const struct slot *slot, uint64_t version)
{
    return (uint64_t *)(uintptr_t)list + slot->first + (version & 1) * (1 + slot->room / WORD);
}

static void write_value(uint64_t *words, const plait_shared_value *value)
{
    uint64_t word = word_of(value), size = has_bytes(value) ? value->size : 0;

    __atomic_store_n(&words[0], size << TYPE_BITS | value->type, __ATOMIC_RELEASE);
    if (has_bytes(value))
        write_words(words + 1, value->bytes, value->size);
    else
        __atomic_store_n(&words[1], word, __ATOMIC_RELEASE);
}

/* ---- making ---- */

static size_t room_for(const plait_shared_value *value)
{
    return has_bytes(value) ? value->size / WORD * WORD + WORD : WORD;
}

int plait_shared_list_bytes(const plait_shared_value *values, size_t count, size_t *ret)
{
    size_t bytes = sizeof(plait_shared_list);

    if (ret == NULL || (values == NULL && count > 0))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (!is_value(&values[i]))
            return -EINVAL;
        if (has_bytes(&values[i]) && values[i].size > MOST_BYTES)
            return -ENOMEM;
        bytes += sizeof(struct slot) + 2 * (WORD + room_for(&values[i]));
        if (bytes > MOST_BYTES)
            return -ENOMEM;
    }
    *ret = bytes;
    return 0;
}

/* pre: values as for plait_shared_list_bytes. */
static void make(plait_shared_list *list, const plait_shared_value *values, size_t count)
{
    uint64_t first = (sizeof *list + count * sizeof(struct slot)) / WORD;

    list->count = count;
    list->lock = 0;
    list->spare = 0;
    for (size_t i = 0; i < count; i++) {
        list->slots[i] = (struct slot){ .first = first, .room = room_for(&values[i]) };
        write_value(words_of(list, &list->slots[i], 0), &values[i]);
        first += 2 * (1 + list->slots[i].room / WORD);
    }
}

int plait_shared_list_init(void *memory, size_t bytes, const plait_shared_value *values,
                           size_t count)
{
    size_t needed = 0;
    int rc = plait_shared_list_bytes(values, count, &needed);

    if (rc < 0)
        return rc;
    if (memory == NULL || (uintptr_t)memory % WORD != 0)
        return -EINVAL;
    if (bytes < needed)
        return -ENOSPC;
    make(memory, values, count);
    return 0;
}

int plait_shared_list_create(plait_shared_list **ret, const plait_shared_value *values,
                             size_t count)
{
    plait_shared_list *list;
    size_t bytes = 0;
    int rc = ret == NULL ? -EINVAL : plait_shared_list_bytes(values, count, &bytes);

    if (rc < 0)
        return rc;
    list = plait_shared_alloc(bytes);
    if (list == NULL)
        return -ENOMEM;
    make(list, values, count);
    *ret = list;
    return 0;
}

void plait_shared_list_destroy(plait_shared_list *list)
{
    plait_shared_free(list);
}

/* ---- getting ---- */

/* The value of this version, if it is not written over meanwhile: then all of it is rubbish, the
 * code that is returned too. */
static int read_value(const plait_shared_list *list, const struct slot *slot, uint64_t version,
                      plait_shared_value *ret, size_t cap)
{
    const uint64_t *words = words_of(list, slot, version);
    uint64_t head = __atomic_load_n(&words[0], __ATOMIC_ACQUIRE);
    char *buf = (char *)(uintptr_t)ret->bytes;

    ret->type = (plait_shared_type)(head & ((1U << TYPE_BITS) - 1));
    ret->size = (size_t)(head >> TYPE_BITS);
    if (!has_bytes(ret)) {
        take_word(ret, __atomic_load_n(&words[1], __ATOMIC_ACQUIRE));
        return 0;
    }
    if (ret->size > slot->room || ret->size > cap ||
        (ret->type == PLAIT_SHARED_STR && ret->size == cap))
        return -EMSGSIZE;
    read_words(words + 1, buf, ret->size);
    if (ret->type == PLAIT_SHARED_STR)
        buf[ret->size] = '\0';
    return 0;
}

int plait_shared_list_get(const plait_shared_list *list, size_t index, plait_shared_value *ret,
                          void *buf, size_t cap)
{
    const struct slot *slot;
    plait_shared_value value;
    uint64_t version;
    int rc;

    if (list == NULL || ret == NULL || (buf == NULL && cap > 0))
        return -EINVAL;
    if (index >= list->count)
        return -ERANGE;
    slot = &list->slots[index];
    do {
        version = __atomic_load_n(&slot->version, __ATOMIC_ACQUIRE);
        value = plait_shared_value_bytes(buf, 0);
        rc = read_value(list, slot, version, &value, cap);
        /* relaxed: the acquiring loads of the words come before it */
    } while (__atomic_load_n(&slot->begun, __ATOMIC_RELAXED) > version + 1);
    if (rc == 0) {
        if (!has_bytes(&value))
            value.bytes = NULL;
        *ret = value;
    }
    return rc;
}

/* ---- setting ---- */

static int take_turn(plait_shared_list *list, plait_deadline until)
{
    plait_deadline patience = plait_after_ms(PATIENCE_MS);
    int rc = plait__owned_acquire(&list->lock, true, until.ns > patience.ns ? until : patience);

    if (rc == 1)
        plait__owned_mend(&list->lock);
    return rc < 0 ? rc : 0;
}

int plait_shared_list_set(plait_shared_list *list, size_t index, const plait_shared_value *value,
                          plait_deadline until)
{
    struct slot *slot;
    uint64_t next;
    int rc;

    if (list == NULL || value == NULL || !is_value(value))
        return -EINVAL;
    if (index >= list->count)
        return -ERANGE;
    slot = &list->slots[index];
    if (has_bytes(value) && value->size > slot->room)
        return -EMSGSIZE;
    rc = take_turn(list, until);
    if (rc < 0)
        return rc;
    next = __atomic_load_n(&slot->version, __ATOMIC_RELAXED) + 1;
    /* relaxed: the releasing stores of the words come after it */
    __atomic_store_n(&slot->begun, next, __ATOMIC_RELAXED);
    write_value(words_of(list, slot, next), value);
    /* release: who sees the version sees its words */
    __atomic_store_n(&slot->version, next, __ATOMIC_RELEASE);
    plait__owned_release(&list->lock);
    return 0;
}

/* ---- looking ---- */

size_t plait_shared_list_count(const plait_shared_list *list)
{
    return list == NULL ? 0 : (size_t)list->count;
}

size_t plait_shared_list_room(const plait_shared_list *list, size_t index)
{
    return list == NULL || index >= list->count ? 0 : (size_t)list->slots[index].room;
}
