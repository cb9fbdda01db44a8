/* A growing run of bytes.
 * SPDX-License-Identifier: MIT
 */
#include "base/buf.h"

#include "test.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

TEST(an_empty_buffer_holds_nothing)
{
    struct plait__buf buf = { 0 };

    CHECK(buf.data == NULL);
    plait__buf_clear(&buf);
    plait__buf_drop(&buf, 0);
    plait__buf_fini(&buf);
    plait__buf_fini(&buf);
}

TEST(what_is_added_stands_in_order_and_is_a_string)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__buf_add(&buf, "ab\0c", 4), 0);
    CHECK_INT(plait__buf_add_char(&buf, 'd'), 0);
    CHECK_INT(plait__buf_add_str(&buf, "ef"), 0);
    CHECK_MEM(buf.data, buf.len + 1, "ab\0cdef", 8);
    plait__buf_fini(&buf);
}

TEST(nothing_added_makes_an_empty_string)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__buf_add(&buf, NULL, 0), 0);
    CHECK_INT(buf.len, 0);
    CHECK_STR(buf.data, "");
    plait__buf_fini(&buf);
}

TEST(many_bytes_grow_it)
{
    struct plait__buf buf = { 0 };

    for (int i = 0; i < 100000; i++)
        CHECK_INT(plait__buf_add_char(&buf, (char)(i % 251)), 0);
    CHECK_INT(buf.len, 100000);
    for (int i = 0; i < 100000; i++)
        CHECK(buf.data[i] == (char)(i % 251));
    CHECK(buf.cap > buf.len && buf.cap <= 2 * buf.len + 64);
    plait__buf_fini(&buf);
}

TEST(printf_appends_whatever_room_is_left)
{
    struct plait__buf buf = { 0 };
    char want[512];

    for (size_t before = 0; before < 200; before++) {
        plait__buf_fini(&buf);
        memset(want, 'x', sizeof(want));
        for (size_t i = 0; i < before; i++)
            CHECK_INT(plait__buf_add_char(&buf, 'x'), 0);
        CHECK_INT(plait__buf_printf(&buf, "%d-%s", 42, "0123456789012345678901234567890123456789"),
                  0);
        strcpy(want + before, "42-0123456789012345678901234567890123456789");
        CHECK_STR(buf.data, want);
        CHECK_INT(buf.len, strlen(want));
    }
    plait__buf_fini(&buf);
}

TEST(more_than_memory_is_refused_and_changes_nothing)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__buf_reserve(&buf, SIZE_MAX), -ENOMEM);
    CHECK(buf.data == NULL);
    CHECK_INT(plait__buf_add_str(&buf, "kept"), 0);
    CHECK_INT(plait__buf_reserve(&buf, SIZE_MAX), -ENOMEM);
    CHECK_INT(plait__buf_reserve(&buf, SIZE_MAX - 4), -ENOMEM);
    CHECK_INT(plait__buf_reserve(&buf, PTRDIFF_MAX), -ENOMEM);
    CHECK_STR(buf.data, "kept");
    plait__buf_fini(&buf);
}

TEST(clear_keeps_the_memory)
{
    struct plait__buf buf = { 0 };
    char *data;

    CHECK_INT(plait__buf_add_str(&buf, "gone"), 0);
    data = buf.data;
    plait__buf_clear(&buf);
    CHECK_INT(buf.len, 0);
    CHECK_STR(buf.data, "");
    CHECK_INT(plait__buf_add_str(&buf, "new"), 0);
    CHECK(buf.data == data);
    plait__buf_fini(&buf);
}

TEST(drop_forgets_the_first_bytes)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__buf_add_str(&buf, "abcdef"), 0);
    plait__buf_drop(&buf, 2);
    CHECK_STR(buf.data, "cdef");
    plait__buf_drop(&buf, 4);
    CHECK_STR(buf.data, "");
    CHECK_INT(buf.len, 0);
    plait__buf_fini(&buf);
}

TEST(detach_hands_the_bytes_over)
{
    struct plait__buf buf = { 0 };
    char *str;

    CHECK_INT(plait__buf_add_str(&buf, "mine"), 0);
    str = plait__buf_detach(&buf);
    CHECK_STR(str, "mine");
    CHECK(buf.data == NULL && buf.len == 0 && buf.cap == 0);
    free(str);
    str = plait__buf_detach(&buf);
    CHECK_STR(str, "");
    free(str);
}
