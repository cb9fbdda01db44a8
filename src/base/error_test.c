/* Names and texts of errors.
 * SPDX-License-Identifier: MIT
 */
#include <plait/error.h>

#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

typedef const char *(*errorname_fn)(int);

/* The C library's own table, which not every C library has. */
static errorname_fn find_strerrorname(void)
{
    void *self = dlopen(NULL, RTLD_LAZY);
    void *symbol = self != NULL ? dlsym(self, "strerrorname_np") : NULL;
    errorname_fn fn = NULL;

    memcpy(&fn, &symbol, sizeof(fn)); /* ISO C has no cast from object to function pointer */
    return fn;
}

TEST(every_errno_has_the_name_that_the_c_library_knows)
{
    errorname_fn strerrorname = find_strerrorname();

    if (strerrorname == NULL)
        test_skip("the C library has no strerrorname_np");
    for (int error = 1; error <= 133; error++) {
        const char *want = strerrorname(error);

        CHECK_STR(plait_errname(error), want != NULL ? want : "UNKNOWN");
        CHECK_STR(plait_errname(-error), want != NULL ? want : "UNKNOWN");
        CHECK((want == NULL) == (strcmp(plait_strerror(error), "Unknown error") == 0));
    }
}

TEST(texts_are_the_usual_ones)
{
    CHECK_STR(plait_strerror(-ENOENT), "No such file or directory");
    CHECK_STR(plait_strerror(ENOENT), "No such file or directory");
    CHECK_STR(plait_strerror(-ETIMEDOUT), "Connection timed out");
    CHECK_STR(plait_errname(-EWOULDBLOCK), "EAGAIN");
    CHECK_STR(plait_strerror(0), "Success");
}

TEST(our_own_codes_are_known_by_their_negative_number)
{
    CHECK_STR(plait_errname(PLAIT_EKEEPER), "PLAIT_EKEEPER");
    CHECK_STR(plait_strerror(PLAIT_EKEEPER), "The keeper died");
    CHECK_STR(plait_errname(PLAIT_ETHREADS), "PLAIT_ETHREADS");
    CHECK_STR(plait_errname(-PLAIT_EKEEPER), "UNKNOWN");
}

TEST(what_nobody_knows_is_said_to_be_unknown)
{
    static const int strange[] = { INT_MIN, INT_MIN + 1, INT_MAX, -4096, -4095,
                                   4095,    134,         -134,    41,    -4999 };

    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        CHECK_STR(plait_strerror(strange[i]), "Unknown error");
        CHECK_STR(plait_errname(strange[i]), "UNKNOWN");
    }
}
