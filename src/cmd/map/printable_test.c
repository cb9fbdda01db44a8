/* Tests of what makes foreign bytes printable.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/printable.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>

static void check_shown(const char *text, bool utf8, size_t columns, const char *want)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(map_printable_add(&buf, text, strlen(text),
                                &(struct map_printable){ .utf8 = utf8, .columns = columns }),
              0);
    CHECK_STR(buf.data ? buf.data : "", want);
    plait__buf_fini(&buf);
}

TEST(plain_text_stays)
{
    check_shown("gzip -t 'a b.gz'", true, 0, "gzip -t 'a b.gz'");
    check_shown("grün 漢字 \\n", true, 0, "grün 漢字 \\n");
    check_shown("", true, 5, "");
}

TEST(nothing_can_move_the_cursor)
{
    check_shown("a\033[2Jb\r\n\t\177", true, 0, "a\\x1b[2Jb\\x0d\\x0a\\x09\\x7f");
    check_shown("\302\233"
                "31m",
                true, 0, "\\xc2\\x9b31m");                   /* C1 */
    check_shown("\342\200\256", true, 0, "\\xe2\\x80\\xae"); /* right to left from here on */
    check_shown("\377\300\200", true, 0, "\\xff\\xc0\\x80");
}

TEST(without_utf8_only_ascii_is_shown)
{
    check_shown("grün", false, 0, "gr\\xc3\\xbcn");
    check_shown("abcdefgh", false, 6, "abc...");
}

TEST(long_text_is_shortened_to_the_columns)
{
    check_shown("12345", true, 5, "12345");
    check_shown("123456", true, 5, "1234…");
    check_shown("漢字漢字", true, 8, "漢字漢字");
    check_shown("漢字漢字", true, 7, "漢字漢…");
    check_shown("漢字漢字", true, 6, "漢字…");
    check_shown("abc\001", true, 6, "abc…");
    check_shown("abcdef", false, 2, "");
}

TEST(utf8_is_taken_strictly)
{
    CHECK(map_utf8_is_valid("", 0));
    CHECK(map_utf8_is_valid("a\0b", 3));
    CHECK(map_utf8_is_valid("\360\237\230\200", 4));
    CHECK(!map_utf8_is_valid("\360\237\230", 3));     /* torn */
    CHECK(!map_utf8_is_valid("\300\200", 2));         /* overlong */
    CHECK(!map_utf8_is_valid("\340\200\200", 3));     /* overlong */
    CHECK(!map_utf8_is_valid("\355\240\200", 3));     /* surrogate */
    CHECK(!map_utf8_is_valid("\364\220\200\200", 4)); /* beyond Unicode */
    CHECK(!map_utf8_is_valid("\200", 1));
}

TEST(the_first_set_variable_decides_the_locale)
{
    unsetenv("LC_ALL");
    unsetenv("LC_CTYPE");
    unsetenv("LANG");
    CHECK(!map_locale_is_utf8());
    setenv("LANG", "en_US.UTF-8", 1);
    CHECK(map_locale_is_utf8());
    setenv("LC_CTYPE", "de_DE.utf8", 1);
    CHECK(map_locale_is_utf8());
    setenv("LC_ALL", "C", 1);
    CHECK(!map_locale_is_utf8());
    setenv("LC_ALL", "", 1);
    CHECK(map_locale_is_utf8());
}
