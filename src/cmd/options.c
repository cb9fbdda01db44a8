/* The one parser of command lines.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/options.h"

#include "base/buf.h"
#include "cmd/exit.h"
#include "cmd/help.h"
#include "cmd/suggest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One run of the parser. */
struct parser {
    const struct cmd_page *page;
    char **argv;
    int argc;
    int next; /* the word after the one that is being read */
    cmd_option_fn fn;
    void *ctx;
};

const char *cmd_option_name(const struct cmd_option *option, char name[CMD_OPTION_NAME_BYTES])
{
    if (option->name != NULL)
        snprintf(name, CMD_OPTION_NAME_BYTES, "--%s", option->name);
    else
        snprintf(name, CMD_OPTION_NAME_BYTES, "-%c", option->short_name);
    return name;
}

static void replace_controls(struct plait__buf *buf)
{
    for (size_t i = 0; i < buf->len; i++)
        if ((unsigned char)buf->data[i] < ' ' || buf->data[i] == '\x7f')
            buf->data[i] = '?';
}

int cmd_usage_error(const struct cmd_page *page, const char *format, ...)
{
    const char *blank = page->name == NULL ? "" : " ", *name = page->name == NULL ? "" : page->name;
    struct plait__buf says = { 0 };
    va_list args;
    int rc;

    va_start(args, format);
    rc = plait__buf_vprintf(&says, format, args);
    va_end(args);
    if (rc < 0) {
        fprintf(stderr, "plait%s%s: the command line is wrong, and there is no memory to say how\n",
                blank, name);
        return -EINVAL;
    }
    replace_controls(&says);
    fprintf(stderr, "plait%s%s: %s\nTry 'plait%s%s -h'.\n", blank, name, says.data, blank, name);
    plait__buf_fini(&says);
    return -EINVAL;
}

static const struct cmd_option *find_long(const struct cmd_page *page, const char *name, size_t n)
{
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++) {
        if (o->name != NULL && strncmp(o->name, name, n) == 0 && o->name[n] == '\0')
            return o;
        if (o->alias != NULL && strncmp(o->alias, name, n) == 0 && o->alias[n] == '\0')
            return o;
    }
    return NULL;
}

static const struct cmd_option *find_short(const struct cmd_page *page, char letter)
{
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++)
        if (letter != 0 && (o->short_name == letter || o->short_alias == letter))
            return o;
    return NULL;
}

/* What people who come from elsewhere should do instead of this option; NULL: nothing known. */
static const char *find_foreign(const struct cmd_page *page, const char *option, size_t n)
{
    if (page->foreign == NULL)
        return NULL;
    for (const struct cmd_foreign *f = page->foreign; f->option != NULL; f++)
        if (strncmp(f->option, option, n) == 0 && f->option[n] == '\0')
            return f->says;
    return NULL;
}

static int refuse_long(const struct parser *parser, const char *word, size_t n)
{
    char typed[CMD_OPTION_NAME_BYTES + 2];
    struct cmd_suggestion guess = { .word = typed };
    const char *foreign = find_foreign(parser->page, word, n);

    if (foreign != NULL)
        return cmd_usage_error(parser->page, "there is no option '%.*s' here: %s", (int)n, word,
                               foreign);
    if (n >= sizeof typed)
        return cmd_usage_error(parser->page, "unknown option '%.*s...'", (int)sizeof typed, word);
    memcpy(typed, word + 2, n - 2);
    typed[n - 2] = '\0';
    for (const struct cmd_option *o = parser->page->options; !cmd_option_is_end(o); o++) {
        if (o->name != NULL)
            cmd_suggest_offer(&guess, o->name);
        if (o->alias != NULL)
            cmd_suggest_offer(&guess, o->alias);
    }
    if (guess.best != NULL)
        return cmd_usage_error(parser->page, "unknown option '--%s'; did you mean '--%s'?", typed,
                               guess.best);
    return cmd_usage_error(parser->page, "unknown option '--%s'", typed);
}

static int refuse_short(const struct parser *parser, char letter, const char *word)
{
    char option[3] = { '-', letter, '\0' };
    const char *foreign = find_foreign(parser->page, option, 2);

    if (foreign != NULL)
        return cmd_usage_error(parser->page, "there is no option '%s' here: %s", option, foreign);
    /* -retries: one dash too few, unless the first letter alone explains the word. */
    if (find_long(parser->page, word + 1, strcspn(word + 1, "=")) != NULL)
        return cmd_usage_error(parser->page, "unknown option '%s' in '%s'; did you mean '-%s'?",
                               option, word, word);
    if (word[2] != '\0')
        return cmd_usage_error(parser->page, "unknown option '%s' in '%s'", option, word);
    return cmd_usage_error(parser->page, "unknown option '%s'", option);
}

/* The value is the next word; `called` is how the option was written. */
static int read_next_word(struct parser *parser, const struct cmd_option *option,
                          const char *called)
{
    if (parser->next >= parser->argc)
        return cmd_usage_error(parser->page, "%s needs a value: %s %s", called, called,
                               option->metavar);
    return parser->fn(option, parser->argv[parser->next++], parser->ctx);
}

static int read_long(struct parser *parser, const char *word)
{
    size_t n = strcspn(word, "=");
    const char *value = word[n] == '=' ? word + n + 1 : NULL;
    const struct cmd_option *option = n > 2 ? find_long(parser->page, word + 2, n - 2) : NULL;
    char called[CMD_OPTION_NAME_BYTES];

    if (option == NULL)
        return refuse_long(parser, word, n);
    snprintf(called, sizeof called, "%.*s", (int)n, word);
    if (value != NULL && option->kind == CMD_FLAG)
        return cmd_usage_error(parser->page, "%s takes no value, and got '%s'", called, value);
    if (value == NULL && option->kind == CMD_VALUE)
        return read_next_word(parser, option, called);
    return parser->fn(option, value, parser->ctx);
}

/* -k, -kj4, -kj 4 */
static int read_cluster(struct parser *parser, const char *word)
{
    for (const char *at = word + 1; *at != '\0'; at++) {
        const struct cmd_option *option = find_short(parser->page, *at);
        char called[3] = { '-', *at, '\0' };
        int rc;

        if (option == NULL)
            return refuse_short(parser, *at, word);
        if (option->kind == CMD_VALUE)
            return at[1] == '\0' ? read_next_word(parser, option, called)
                                 : parser->fn(option, at + 1, parser->ctx);
        rc = parser->fn(option, NULL, parser->ctx);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int cmd_options_parse(const struct cmd_page *page, int argc, char **argv, cmd_option_fn fn,
                      void *ctx)
{
    struct parser parser = { .page = page, .argv = argv, .argc = argc, .fn = fn, .ctx = ctx };

    while (parser.next < argc) {
        const char *word = argv[parser.next];
        int rc;

        if (word[0] != '-' || word[1] == '\0')
            break;
        parser.next++;
        if (strcmp(word, "--") == 0)
            break;
        rc = word[1] == '-' ? read_long(&parser, word) : read_cluster(&parser, word);
        if (rc < 0)
            return rc;
    }
    return parser.next;
}

/* What cmd_options_parse_plain tells its callback. */
struct plain {
    const struct cmd_page *page;
    int exit;
};

static int answer_plain(const struct cmd_option *option, const char *value, void *ctx)
{
    struct plain *plain = ctx;

    (void)value;
    plain->exit = cmd_help_answer(plain->page, option->id, CMD_COLOR_AUTO);
    return -ECANCELED;
}

int cmd_options_parse_plain(const struct cmd_page *page, int argc, char **argv, int *ret_exit)
{
    struct plain plain = { .page = page, .exit = CMD_EXIT_USAGE };
    int rc = cmd_options_parse(page, argc, argv, answer_plain, &plain);

    if (rc < 0)
        *ret_exit = plain.exit;
    return rc;
}
