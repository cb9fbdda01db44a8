/* Tests of os/place.c.
 * SPDX-License-Identifier: MIT
 */
#include "os/place.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

TEST(a_place_in_a_library_names_function_and_file)
{
    char text[128];

    plait__os_place_write((const char *)(void *)drand48 + 1, text, sizeof text);
    if (strstr(text, "drand48") == NULL && strstr(text, "0x") != NULL && strchr(text, '+') == NULL)
        test_skip("no dynamic linker: nothing knows the places of a static program");
    CHECK(strstr(text, "libc") != NULL || strstr(text, "musl") != NULL);
    CHECK(strstr(text, "+0") != NULL);
}

TEST(a_place_nowhere_is_a_number)
{
    char text[128];

    plait__os_place_write((const void *)0x12, text, sizeof text);
    CHECK_STR(text, "0x12");
}

TEST(a_long_name_is_cut)
{
    char text[8];

    memset(text, 'x', sizeof text);
    plait__os_place_write((const char *)(void *)drand48 + 1, text, sizeof text);
    CHECK_INT(strlen(text), sizeof text - 1);
}
