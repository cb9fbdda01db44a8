/* A process is killed at every instruction of what is done to shared lists.
 * SPDX-License-Identifier: MIT
 *
 * After each kill the slot has the old value or the new one, whole; the other slot is as it was;
 * and anybody can get and set.
 */
#include "family/member.h"

#include "step.h"

#include <plait/shared.h>
#include <plait/shared_list.h>

#include <errno.h>
#include <string.h>

enum {
    SIZE = 90 /* bytes of each text */
};

struct scene {
    plait_shared_list *list;
    bool is_set;        /* the victim was told so */
    char got[SIZE + 1]; /* by the partner */
};

static plait_shared_value text_of(char *bytes, char letter)
{
    memset(bytes, letter, SIZE);
    return plait_shared_value_bytes(bytes, SIZE);
}

static void *a_list(void)
{
    char bytes[SIZE];
    plait_shared_value values[2] = { text_of(bytes, 'a'), plait_shared_value_int64(7) };
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    CHECK_INT(plait_shared_list_create(&scene->list, values, 2), 0);
    return scene;
}

static void set(struct scene *scene, char letter)
{
    char bytes[SIZE];
    plait_shared_value value = text_of(bytes, letter);

    CHECK_INT(plait_shared_list_set(scene->list, 0, &value, PLAIT_FOREVER), 0);
}

/* The letter that the whole text is made of. */
static char get(struct scene *scene, char bytes[SIZE])
{
    plait_shared_value value;
    char expected[SIZE];

    CHECK_INT(plait_shared_list_get(scene->list, 0, &value, bytes, SIZE), 0);
    text_of(expected, bytes[0]);
    CHECK_MEM(bytes, value.size, expected, SIZE);
    return bytes[0];
}

static const char *check_list(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    plait_shared_value other;
    char bytes[SIZE], found = get(scene, bytes);

    (void)at;
    CHECK(found == 'a' || found == 'v' || found == 'p');
    CHECK(!scene->is_set || found != 'a');
    CHECK_INT(plait_shared_list_get(scene->list, 1, &other, NULL, 0), 0);
    CHECK_INT(other.integer, 7);
    set(scene, 's');
    CHECK_INT(get(scene, bytes), 's');
    return found == 'a' ? "not set" : found == 'v' ? "set" : "set by the other one";
}

static void join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

static void set_as_victim(void *state)
{
    struct scene *scene = state;

    set(scene, 'v');
    scene->is_set = true;
}

static const struct step_call set_alone = { .name = "list set",
                                            .setup = a_list,
                                            .prepare = join,
                                            .victim = set_as_victim,
                                            .check = check_list };

STEP_TEST(a_victim_in_a_set_has_set_or_not, &set_alone)

static void set_as_partner(void *state)
{
    set(state, 'p');
}

static const struct step_call set_beside_set = { .name = "list set, beside another set",
                                                 .setup = a_list,
                                                 .prepare = join,
                                                 .victim = set_as_victim,
                                                 .partner = set_as_partner,
                                                 .check = check_list };

STEP_TEST(a_victim_in_a_set_holds_up_no_other_one, &set_beside_set)

static void get_as_partner(void *state)
{
    struct scene *scene = state;

    get(scene, scene->got);
}

static const char *check_list_and_got(void *state, const struct step_result *at)
{
    struct scene *scene = state;

    CHECK(scene->got[0] == 'a' || scene->got[0] == 'v');
    return check_list(state, at);
}

static const struct step_call set_beside_get = { .name = "list set, beside a get",
                                                 .setup = a_list,
                                                 .prepare = join,
                                                 .victim = set_as_victim,
                                                 .partner = get_as_partner,
                                                 .check = check_list_and_got };

STEP_TEST(a_get_beside_a_victim_in_a_set_is_whole, &set_beside_get)

static const struct step_call get_beside_set = { .name = "list get, beside a set",
                                                 .setup = a_list,
                                                 .prepare = join,
                                                 .victim = get_as_partner,
                                                 .partner = set_as_partner,
                                                 .check = check_list };

STEP_TEST(a_victim_in_a_get_is_in_nobodys_way, &get_beside_set)
