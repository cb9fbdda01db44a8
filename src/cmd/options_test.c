/* SPDX-License-Identifier: MIT */
#include "cmd/options.h"

#include "cmd/exit.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    ID_ALL = 1,
    ID_COUNT,
    ID_COLOR,
    ID_LETTER
};

static const struct cmd_option table[] = {
    { .id = ID_ALL, .short_name = 'a', .name = "all", .group = "Some", .help = "All" },
    { .id = ID_COUNT,
      .short_name = 'c',
      .short_alias = 'C',
      .name = "count",
      .alias = "number",
      .kind = CMD_VALUE,
      .metavar = "N",
      .group = "Some",
      .help = "Count" },
    { .id = ID_COLOR,
      .name = "color",
      .kind = CMD_OPTIONAL_VALUE,
      .metavar = "WHEN",
      .group = "Some",
      .help = "Colour" },
    { .id = ID_LETTER, .short_name = 'X', .group = "Some", .help = "Only a letter" },
    { .name = NULL },
};

static const struct cmd_foreign foreign[] = { { "--pipe", "use a file" },
                                              { "-S", "use ssh" },
                                              { NULL, NULL } };

static const struct cmd_page page = { .name = "test",
                                      .summary = "test",
                                      .usage = "",
                                      .about = "",
                                      .options = table,
                                      .foreign = foreign };

/* What the callback saw: "1 2=5 3 3=x ". */
static char seen[256];
/* What went to standard error. */
static char said[512];

static int note(const struct cmd_option *option, const char *value, void *ctx)
{
    size_t n = strlen(seen);

    CHECK(ctx == seen);
    snprintf(seen + n, sizeof seen - n, "%d%s%s ", option->id, value == NULL ? "" : "=",
             value == NULL ? "" : value);
    return 0;
}

static int stop(const struct cmd_option *option, const char *value, void *ctx)
{
    (void)option;
    (void)value;
    (void)ctx;
    return -ECANCELED;
}

/* Reads the words, which are NULL-terminated, with standard error caught in `said`. */
static int parse(char **words)
{
    int argc = 0, before = dup(STDERR_FILENO), rc;
    FILE *caught = tmpfile();
    size_t n;

    while (words[argc] != NULL)
        argc++;
    seen[0] = '\0';
    dup2(fileno(caught), STDERR_FILENO);
    rc = cmd_options_parse(&page, argc, words, note, seen);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(caught);
    n = fread(said, 1, sizeof said - 1, caught);
    said[n] = '\0';
    fclose(caught);
    return rc;
}

#define PARSE(...) parse((char *[]){ __VA_ARGS__, NULL })
#define SAYS(text) CHECK_STR(said, "plait test: " text "\nTry 'plait test -h'.\n")

/* The literals are not written to: argv has no const for historical reasons. */
#define W(literal) ((char[]){ literal })

TEST(a_flag_is_read_by_letter_and_by_name)
{
    CHECK_INT(PARSE(W("-a"), W("--all")), 2);
    CHECK_STR(seen, "1 1 ");
    CHECK_STR(said, "");
}

TEST(a_value_follows_or_is_attached)
{
    CHECK_INT(PARSE(W("-c"), W("1"), W("-c2"), W("--count"), W("3"), W("--count=4"), W("-C5"),
                    W("--number=6")),
              8);
    CHECK_STR(seen, "2=1 2=2 2=3 2=4 2=5 2=6 ");
}

TEST(a_value_may_look_like_an_option)
{
    CHECK_INT(PARSE(W("-c"), W("-1"), W("--count"), W("--all"), W("-c"), W("--")), 6);
    CHECK_STR(seen, "2=-1 2=--all 2=-- ");
}

TEST(a_value_may_be_empty_or_hold_equal_signs)
{
    CHECK_INT(PARSE(W("--count="), W("--count=a=b"), W("-c"), W("")), 4);
    CHECK_STR(seen, "2= 2=a=b 2= ");
}

TEST(an_optional_value_comes_only_with_an_equal_sign)
{
    CHECK_INT(PARSE(W("--color"), W("--color=never"), W("--color"), W("never")), 3);
    CHECK_STR(seen, "3 3=never 3 ");
}

TEST(letters_share_a_dash)
{
    CHECK_INT(PARSE(W("-aXa"), W("-ac4"), W("-Xc"), W("5")), 4);
    CHECK_STR(seen, "1 4 1 1 2=4 4 2=5 ");
}

TEST(two_dashes_end_the_options)
{
    CHECK_INT(PARSE(W("-a"), W("--"), W("-a")), 2);
    CHECK_STR(seen, "1 ");
}

TEST(the_first_other_word_ends_the_options)
{
    CHECK_INT(PARSE(W("-a"), W("word"), W("-a")), 1);
    CHECK_INT(PARSE(W("-"), W("-a")), 0);
    CHECK_INT(PARSE(W(""), W("-a")), 0);
    CHECK_INT(PARSE(W(":::"), W("-a")), 0);
}

TEST(no_words_are_no_options)
{
    CHECK_INT(parse((char *[]){ NULL }), 0);
}

TEST(what_the_callback_returns_ends_the_parsing)
{
    char *words[] = { W("-a"), W("--nonsense"), NULL };

    CHECK_INT(cmd_options_parse(&page, 2, words, stop, NULL), -ECANCELED);
}

TEST(an_unknown_option_is_refused)
{
    CHECK_INT(PARSE(W("--frobnicate")), -EINVAL);
    SAYS("unknown option '--frobnicate'");
    CHECK_INT(PARSE(W("-z")), -EINVAL);
    SAYS("unknown option '-z'");
    CHECK_INT(PARSE(W("-az")), -EINVAL);
    SAYS("unknown option '-z' in '-az'");
}

TEST(a_slip_is_answered_with_the_name)
{
    CHECK_INT(PARSE(W("--cuont=4")), -EINVAL);
    SAYS("unknown option '--cuont'; did you mean '--count'?");
    CHECK_INT(PARSE(W("--colour")), -EINVAL);
    SAYS("unknown option '--colour'; did you mean '--color'?");
    CHECK_INT(PARSE(W("-number")), -EINVAL);
    SAYS("unknown option '-n' in '-number'; did you mean '--number'?");
}

TEST(a_beginning_of_a_name_is_not_the_name)
{
    CHECK_INT(PARSE(W("--cou"), W("1")), -EINVAL);
    SAYS("unknown option '--cou'; did you mean '--count'?");
}

TEST(an_option_known_from_elsewhere_gets_advice)
{
    CHECK_INT(PARSE(W("--pipe")), -EINVAL);
    SAYS("there is no option '--pipe' here: use a file");
    CHECK_INT(PARSE(W("-S")), -EINVAL);
    SAYS("there is no option '-S' here: use ssh");
    CHECK_INT(PARSE(W("-aShost")), -EINVAL);
    SAYS("there is no option '-S' here: use ssh");
}

TEST(a_missing_value_is_said)
{
    CHECK_INT(PARSE(W("--count")), -EINVAL);
    SAYS("--count needs a value: --count N");
    CHECK_INT(PARSE(W("-ac")), -EINVAL);
    SAYS("-c needs a value: -c N");
}

TEST(a_value_for_a_flag_is_refused)
{
    CHECK_INT(PARSE(W("--all=1")), -EINVAL);
    SAYS("--all takes no value, and got '1'");
}

TEST(odd_words_are_refused_not_misread)
{
    CHECK_INT(PARSE(W("--=x")), -EINVAL);
    CHECK_INT(PARSE(W("---")), -EINVAL);
    CHECK_INT(PARSE(W("-=")), -EINVAL);
    CHECK_INT(
        PARSE(W(
            "--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
        -EINVAL);
}

TEST(control_characters_do_not_reach_the_terminal)
{
    CHECK_INT(PARSE(W("--\033[2Jx")), -EINVAL);
    SAYS("unknown option '--?[2Jx'");
    CHECK_INT(PARSE(W("-\n")), -EINVAL);
    SAYS("unknown option '-?'");
}

TEST(an_option_is_called_by_its_name)
{
    char name[CMD_OPTION_NAME_BYTES];

    CHECK_STR(cmd_option_name(&table[1], name), "--count");
    CHECK_STR(cmd_option_name(&table[3], name), "-X");
}

/* The tables that are shipped: what the parser, the help and the completions rely on. */
TEST(every_table_is_sound)
{
    const struct cmd_page *pages[16] = { &cmd_page_tool };
    size_t n = 1;

    for (size_t i = 0; cmd_pages[i] != NULL; i++)
        pages[n++] = cmd_pages[i];
    for (size_t i = 0; i < n; i++) {
        CHECK(pages[i]->summary != NULL && pages[i]->usage != NULL && pages[i]->about != NULL);
        CHECK(pages[i]->examples != NULL && pages[i]->examples[0].command != NULL);
        for (const struct cmd_option *o = pages[i]->options; o->name != NULL || o->short_name != 0;
             o++) {
            char name[CMD_OPTION_NAME_BYTES];

            CHECK(o->id != 0 && o->group != NULL && o->help != NULL);
            CHECK((o->kind == CMD_FLAG) == (o->metavar == NULL));
            CHECK(o->help[strlen(o->help) - 1] != '.');
            CHECK(strlen(cmd_option_name(o, name)) < CMD_OPTION_NAME_BYTES - 1);
            for (const struct cmd_option *p = pages[i]->options; p != o; p++) {
                CHECK(o->id != p->id);
                CHECK(o->name == NULL || p->name == NULL || strcmp(o->name, p->name) != 0);
                CHECK(o->short_name == 0 ||
                      (o->short_name != p->short_name && o->short_name != p->short_alias));
            }
        }
    }
}
