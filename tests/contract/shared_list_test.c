/* The contract of shared lists.
 * SPDX-License-Identifier: MIT
 */
#include "sync.h"

#include <plait/shared_list.h>

#include <stdio.h>

enum {
    LONG = 300 /* bytes of a text */
};

static plait_shared_list *list;

static void create(const plait_shared_value *values, size_t count)
{
    list = NULL;
    CHECK_INT(plait_shared_list_create(&list, values, count), 0);
    CHECK(list != NULL);
}

static int set(size_t index, plait_shared_value value)
{
    return plait_shared_list_set(list, index, &value, PLAIT_FOREVER);
}

static char got_bytes[LONG + 50];

static plait_shared_value get(size_t index)
{
    plait_shared_value value = { .type = PLAIT_SHARED_NONE };

    CHECK_INT(plait_shared_list_get(list, index, &value, got_bytes, sizeof got_bytes), 0);
    return value;
}

static void check_text(size_t index, const char *text)
{
    plait_shared_value value = get(index);

    CHECK_INT(value.type, PLAIT_SHARED_STR);
    CHECK_INT(value.size, strlen(text));
    CHECK_STR(value.bytes, text);
}

static void check_int64(size_t index, int64_t integer)
{
    plait_shared_value value = get(index);

    CHECK_INT(value.type, PLAIT_SHARED_INT64);
    CHECK_INT(value.integer, integer);
}

static void create_one_of_each(void)
{
    const plait_shared_value values[] = {
        plait_shared_value_none(),           plait_shared_value_bool(true),
        plait_shared_value_int64(INT64_MIN), plait_shared_value_double(-0.25),
        plait_shared_value_str("a text"),    plait_shared_value_bytes("\0\1\0", 3),
        plait_shared_value_str(""),
    };

    create(values, 7);
}

static void check_one_of_each(void)
{
    plait_shared_value value;

    CHECK_INT(plait_shared_list_count(list), 7);
    CHECK_INT(get(0).type, PLAIT_SHARED_NONE);
    value = get(1);
    CHECK(value.type == PLAIT_SHARED_BOOL && value.boolean);
    check_int64(2, INT64_MIN);
    value = get(3);
    CHECK(value.type == PLAIT_SHARED_DOUBLE && value.real == -0.25);
    check_text(4, "a text");
    value = get(5);
    CHECK_INT(value.type, PLAIT_SHARED_BYTES);
    CHECK_MEM(value.bytes, value.size, "\0\1\0", 3);
    check_text(6, "");
}

TEST(each_slot_has_its_first_value)
{
    create_one_of_each();
    check_one_of_each();
    plait_shared_list_destroy(list);
}

static int set_all(void *arg)
{
    (void)arg;
    CHECK_INT(set(0, plait_shared_value_str("was none")), 0);
    CHECK_INT(set(1, plait_shared_value_double(1.5)), 0);
    CHECK_INT(set(2, plait_shared_value_none()), 0);
    CHECK_INT(set(3, plait_shared_value_bytes("", 0)), 0);
    CHECK_INT(set(4, plait_shared_value_int64(7)), 0);
    CHECK_INT(set(5, plait_shared_value_bool(false)), 0);
    return set(6, plait_shared_value_str("8 bytes."));
}

static void a_slot_takes_each_type_that_fits(plait_kind with)
{
    plait_shared_value value;

    prepare(with, false);
    create_one_of_each();
    CHECK_INT(join(start(set_all, NULL)), 0);
    check_text(0, "was none");
    value = get(1);
    CHECK(value.type == PLAIT_SHARED_DOUBLE && value.real == 1.5);
    CHECK_INT(get(2).type, PLAIT_SHARED_NONE);
    value = get(3);
    CHECK(value.type == PLAIT_SHARED_BYTES && value.size == 0);
    check_int64(4, 7);
    value = get(5);
    CHECK(value.type == PLAIT_SHARED_BOOL && !value.boolean);
    check_text(6, "8 bytes.");
    plait_shared_list_destroy(list);
}

TEST(a_slot_takes_each_type_that_fits_from_a_thread)
{
    a_slot_takes_each_type_that_fits(PLAIT_THREAD);
}

TEST(a_slot_takes_each_type_that_fits_from_a_process)
{
    a_slot_takes_each_type_that_fits(PLAIT_PROCESS);
}

/* ---- bounds, mistakes ---- */

TEST(what_does_not_fit_is_refused_and_changes_nothing)
{
    const plait_shared_value values[] = { plait_shared_value_str("1234567"),
                                          plait_shared_value_str("12345678"),
                                          plait_shared_value_bool(true) };

    create(values, 3);
    CHECK_INT(plait_shared_list_room(list, 0), 8);
    CHECK_INT(plait_shared_list_room(list, 1), 16);
    CHECK_INT(plait_shared_list_room(list, 2), 8);
    CHECK_INT(plait_shared_list_room(list, 3), 0);
    CHECK_INT(set(0, plait_shared_value_str("123456789")), -EMSGSIZE);
    CHECK_INT(set(1, plait_shared_value_bytes("", SIZE_MAX)), -EMSGSIZE);
    CHECK_INT(set(2, plait_shared_value_str("123456789")), -EMSGSIZE);
    CHECK_INT(set(3, plait_shared_value_none()), -ERANGE);
    check_text(0, "1234567");
    check_text(1, "12345678");
    CHECK(get(2).boolean);
    CHECK_INT(set(1, plait_shared_value_str("0123456789abcdef")), 0);
    check_text(1, "0123456789abcdef");
    plait_shared_list_destroy(list);
}

TEST(a_buffer_too_small_is_told)
{
    const plait_shared_value values[] = { plait_shared_value_str("1234"),
                                          plait_shared_value_bytes("1234", 4),
                                          plait_shared_value_int64(3) };
    plait_shared_value value = plait_shared_value_int64(99);
    char buf[5] = "....";

    create(values, 3);
    CHECK_INT(plait_shared_list_get(list, 0, &value, buf, 4), -EMSGSIZE);
    CHECK_INT(plait_shared_list_get(list, 1, &value, buf, 3), -EMSGSIZE);
    CHECK_INT(plait_shared_list_get(list, 3, &value, buf, 5), -ERANGE);
    CHECK_INT(plait_shared_list_get(list, SIZE_MAX, &value, buf, 5), -ERANGE);
    CHECK(value.type == PLAIT_SHARED_INT64 && value.integer == 99);
    CHECK_INT(plait_shared_list_get(list, 0, &value, buf, 5), 0);
    CHECK_INT(plait_shared_list_get(list, 1, &value, buf, 4), 0);
    CHECK_INT(plait_shared_list_get(list, 2, &value, NULL, 0), 0);
    CHECK_INT(value.integer, 3);
    plait_shared_list_destroy(list);
}

TEST(mistakes_of_lists_are_told)
{
    plait_shared_value value = plait_shared_value_none(), bad = value, empty = value;
    plait_shared_value huge = plait_shared_value_bytes("", SIZE_MAX / 2);
    size_t bytes = 77;

    bad.type = (plait_shared_type)6;
    empty = plait_shared_value_bytes(NULL, 1);
    list = NULL;
    CHECK_INT(plait_shared_list_create(NULL, &value, 1), -EINVAL);
    CHECK_INT(plait_shared_list_create(&list, NULL, 1), -EINVAL);
    CHECK_INT(plait_shared_list_create(&list, &bad, 1), -EINVAL);
    CHECK_INT(plait_shared_list_create(&list, &empty, 1), -EINVAL);
    CHECK_INT(plait_shared_list_create(&list, &huge, 1), -ENOMEM);
    CHECK(list == NULL);
    CHECK_INT(plait_shared_list_bytes(&value, 1, NULL), -EINVAL);
    CHECK_INT(plait_shared_list_bytes(&bad, 1, &bytes), -EINVAL);
    CHECK_INT(bytes, 77);
    CHECK_INT(plait_shared_list_count(NULL), 0);
    CHECK_INT(plait_shared_list_room(NULL, 0), 0);
    CHECK_INT(plait_shared_list_get(NULL, 0, &value, NULL, 0), -EINVAL);
    CHECK_INT(plait_shared_list_set(NULL, 0, &value, PLAIT_NOWAIT), -EINVAL);
    plait_shared_list_destroy(NULL);
    create(NULL, 0);
    CHECK_INT(plait_shared_list_count(list), 0);
    plait_shared_list_destroy(list);
    create(&value, 1);
    CHECK_INT(plait_shared_list_get(list, 0, NULL, NULL, 0), -EINVAL);
    CHECK_INT(plait_shared_list_get(list, 0, &value, NULL, 1), -EINVAL);
    CHECK_INT(plait_shared_list_set(list, 0, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_shared_list_set(list, 0, &bad, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_shared_list_set(list, 0, &empty, PLAIT_NOWAIT), -EINVAL);
    plait_shared_list_destroy(list);
}

/* ---- in any memory ---- */

TEST(a_list_works_in_memory_that_lies_elsewhere_in_each_process)
{
    const plait_shared_value values[] = { plait_shared_value_str("here"),
                                          plait_shared_value_int64(1) };
    size_t bytes = 0;
    int fd = memfd_create("list", 0), status;

    CHECK_INT(plait_shared_list_bytes(values, 2, &bytes), 0);
    CHECK_INT(ftruncate(fd, 4096), 0);
    char *one = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *other = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(one != MAP_FAILED && other != MAP_FAILED && one != other);
    CHECK_INT(plait_shared_list_init(one, bytes - 1, values, 2), -ENOSPC);
    CHECK_INT(plait_shared_list_init(one + 4, bytes, values, 2), -EINVAL);
    CHECK_INT(plait_shared_list_init(NULL, bytes, values, 2), -EINVAL);
    memset(one, 0xff, 4096);
    CHECK_INT(plait_shared_list_init(one, bytes, values, 2), 0);
    CHECK_INT((unsigned char)one[bytes], 0xff);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_INT(munmap(one, 4096), 0);
        list = (plait_shared_list *)(void *)other;
        check_text(0, "here");
        CHECK_INT(set(0, plait_shared_value_str("there")), 0);
        CHECK_INT(set(1, plait_shared_value_int64(2)), 0);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    list = (plait_shared_list *)(void *)one;
    check_text(0, "there");
    check_int64(1, 2);
    CHECK_INT(set(1, plait_shared_value_int64(3)), 0);
    list = (plait_shared_list *)(void *)other;
    check_int64(1, 3);
}

/* ---- nothing is torn ---- */

/* A text of a number: of its own length, and telling whether it is whole. */
static plait_shared_value make_text(char *text, uint32_t n)
{
    size_t size = n % 5 == 0 ? n * 7 % LONG : n % 40;

    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + (n + i) % 26);
    text[size] = '\0';
    return n % 11 == 0 ? plait_shared_value_int64(n) : plait_shared_value_str(text);
}

static void check_whole(plait_shared_value value)
{
    const char *text = value.bytes;

    if (value.type == PLAIT_SHARED_INT64) {
        CHECK_INT(value.integer % 11, 0);
        return;
    }
    CHECK_INT(value.type, PLAIT_SHARED_STR);
    CHECK_INT(strlen(text), value.size);
    for (size_t i = 1; i < value.size; i++)
        CHECK_INT(text[i], 'a' + (text[i - 1] - 'a' + 1) % 26);
}

static void create_texts(void)
{
    static char blanks[LONG + 1];
    plait_shared_value values[2];

    memset(blanks, 'z', LONG);
    values[0] = values[1] = plait_shared_value_str(blanks);
    create(values, 2);
    CHECK_INT(set(0, plait_shared_value_str("")), 0);
    CHECK_INT(set(1, plait_shared_value_str("")), 0);
}

static int set_texts(void *arg)
{
    char text[LONG + 1];

    (void)arg;
    for (uint32_t n = (uint32_t)getpid(); number(0) == 0; n++)
        CHECK_INT(set(n % 2, make_text(text, n)), 0);
    return 0;
}

static void nobody_sees_a_torn_value(plait_kind with)
{
    prepare(with, false);
    create_texts();
    plait_task *one = start(set_texts, NULL), *other = start(set_texts, NULL);
    for (size_t i = 0; i < 100000; i++)
        check_whole(get(i % 2));
    set_number(0, 1);
    CHECK_INT(join(one), 0);
    CHECK_INT(join(other), 0);
    plait_shared_list_destroy(list);
}

TEST_LIMIT(nobody_sees_a_torn_value_between_threads, 30)
{
    nobody_sees_a_torn_value(PLAIT_THREAD);
}

TEST_LIMIT(nobody_sees_a_torn_value_between_processes, 30)
{
    nobody_sees_a_torn_value(PLAIT_PROCESS);
}

static int set_counted(void *arg)
{
    char text[LONG + 1];

    (void)arg;
    for (;;) {
        CHECK_INT(set(0, make_text(text, number(1) + 1)), 0);
        add_number(1);
    }
    return 0;
}

/* Is the value of slot 0 that of this number? */
static bool is_text_of(plait_shared_value value, uint32_t n)
{
    char text[LONG + 1];
    plait_shared_value expected = make_text(text, n);

    if (value.type != expected.type)
        return false;
    if (value.type == PLAIT_SHARED_INT64)
        return value.integer == n;
    return value.size == expected.size && memcmp(value.bytes, text, value.size) == 0;
}

TEST_LIMIT(a_stopped_setter_is_not_waited_for_by_who_gets, 30)
{
    prepare(PLAIT_PROCESS, false);
    create_texts();
    plait_task *task = start(set_counted, NULL);
    UNTIL(number(1) > 0);
    for (int i = 0; i < 300; i++) {
        siginfo_t info;
        uint32_t before = number(1);
        CHECK_INT(kill(plait_task_id(task), SIGSTOP), 0);
        CHECK_INT(waitid(P_PID, (id_t)plait_task_id(task), &info, WSTOPPED), 0);
        plait_shared_value value = get(0);
        CHECK(is_text_of(value, number(1)) || is_text_of(value, number(1) + 1));
        CHECK_INT(kill(plait_task_id(task), SIGCONT), 0);
        if (i % 8 == 0)
            UNTIL(number(1) != before);
    }
    kill_it(task);
    plait_shared_list_destroy(list);
}

TEST_LIMIT(who_is_killed_in_a_set_has_set_or_not_and_holds_up_nobody, 30)
{
    char text[LONG + 1];

    prepare(PLAIT_PROCESS, false);
    create_texts();
    for (int i = 0; i < 60; i++) {
        uint32_t before = number(1);
        plait_task *task = start(set_counted, NULL);
        UNTIL(number(1) > before);
        kill_it(task);
        plait_shared_value value = get(0);
        CHECK(is_text_of(value, number(1)) || is_text_of(value, number(1) + 1));
        CHECK_INT(set(0, make_text(text, number(1))), 0);
        CHECK(is_text_of(get(0), number(1)));
    }
    plait_shared_list_destroy(list);
}
