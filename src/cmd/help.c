/* What -h, --help and --version print.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/help.h"

#include "cmd/exit.h"
#include "cmd/version.h"
#include "os/fd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WIDTH_DEFAULT = 80,
    WIDTH_MIN = 40,
    WIDTH_MAX = 100, /* longer lines are hard to read */
    SHORT_HEAD = 20, /* where -h puts the meaning of an option */
    SHORT_EXAMPLES = 3,
    INDENT = 2,
    TEXT_INDENT = 8,
};

#define ALL ((size_t)-1)

bool cmd_block_next(const char **cursor, struct cmd_block *ret)
{
    const char *line = *cursor;
    size_t n = strcspn(line, "\n");
    const char *tab = memchr(line, '\t', n);

    if (*line == '\0')
        return false;
    *cursor = line + n + (line[n] == '\n');
    *ret = (struct cmd_block){ .kind = CMD_BLOCK_PARAGRAPH, .text = line, .text_len = n };
    if (strncmp(line, "    ", 4) == 0) {
        *ret = (struct cmd_block){ .kind = CMD_BLOCK_LITERAL, .text = line + 4, .text_len = n - 4 };
    } else if (tab != NULL) {
        ret->kind = CMD_BLOCK_ITEM;
        ret->term = line;
        ret->term_len = (size_t)(tab - line);
        ret->text = tab + 1;
        ret->text_len = n - ret->term_len - 1;
    }
    return true;
}

static void add_blanks(struct cmd_out *out, size_t n)
{
    for (; n > 0; n--)
        cmd_out_str(out, " ");
}

/* Words of the text, wrapped; each line after the first is indented, the first begins at `column`.
 * */
static void add_wrapped(struct cmd_out *out, const char *text, size_t n, size_t indent,
                        size_t column)
{
    bool is_first = true;

    while (n > 0) {
        const char *blank = memchr(text, ' ', n);
        size_t word = blank == NULL ? n : (size_t)(blank - text);

        if (!is_first && column + 1 + word > out->width) {
            cmd_out_str(out, "\n");
            add_blanks(out, indent);
            column = indent;
        } else if (!is_first) {
            cmd_out_str(out, " ");
            column++;
        }
        cmd_out_bytes(out, text, word);
        column += word;
        is_first = false;
        text += word;
        n -= word;
        if (n > 0) {
            text++;
            n--;
        }
    }
    cmd_out_str(out, "\n");
}

static void add_heading(struct cmd_out *out, const char *title)
{
    cmd_out(out, out->has_color ? "\n\033[1m%s\033[0m\n" : "\n%s\n", title);
}

/* The column at which the meanings of a list begin: behind the longest of the short terms. */
static size_t item_column(const char *text, size_t indent)
{
    size_t widest = 0;
    struct cmd_block block;

    while (cmd_block_next(&text, &block))
        if (block.kind == CMD_BLOCK_ITEM && block.term_len > widest)
            widest = block.term_len;
    return indent + (widest > 20 ? 20 : widest) + 2;
}

static void add_item(struct cmd_out *out, const struct cmd_block *block, size_t indent,
                     size_t column)
{
    size_t at = indent + block->term_len;

    add_blanks(out, indent);
    cmd_out_bytes(out, block->term, block->term_len);
    if (at + 2 > column) {
        cmd_out_str(out, "\n");
        at = 0;
    }
    add_blanks(out, column - at);
    add_wrapped(out, block->text, block->text_len, column, column);
}

/* A whole text; a blank line between paragraphs, none inside lists and samples. */
static void add_text(struct cmd_out *out, const char *text, size_t indent)
{
    size_t column = item_column(text, indent);
    enum cmd_block_kind before = CMD_BLOCK_ITEM;
    bool is_first = true;
    struct cmd_block block;

    while (cmd_block_next(&text, &block)) {
        if (!is_first && (block.kind != before || block.kind == CMD_BLOCK_PARAGRAPH))
            cmd_out_str(out, "\n");
        if (block.kind == CMD_BLOCK_ITEM) {
            add_item(out, &block, indent, column);
        } else {
            add_blanks(out, block.kind == CMD_BLOCK_LITERAL ? indent + 2 : indent);
            if (block.kind == CMD_BLOCK_PARAGRAPH) {
                add_wrapped(out, block.text, block.text_len, indent, indent);
            } else {
                cmd_out_bytes(out, block.text, block.text_len);
                cmd_out_str(out, "\n");
            }
        }
        before = block.kind;
        is_first = false;
    }
}

void cmd_help_option_head(struct cmd_out *out, const struct cmd_option *option)
{
    const char *comma = "";

    if (option->short_name != 0) {
        cmd_out(out, "-%c", option->short_name);
        comma = ", ";
    }
    if (option->short_alias != 0)
        cmd_out(out, "%s-%c", comma, option->short_alias);
    if (option->name != NULL)
        cmd_out(out, "%s--%s", comma, option->name);
    if (option->alias != NULL)
        cmd_out(out, ", --%s", option->alias);
    if (option->kind == CMD_VALUE)
        cmd_out(out, " %s", option->metavar);
    else if (option->kind == CMD_OPTIONAL_VALUE)
        cmd_out(out, "[=%s]", option->metavar);
}

void cmd_help_option_text(struct cmd_out *out, const struct cmd_option *option)
{
    cmd_out(out, "%s.", option->help);
    if (option->text != NULL)
        cmd_out(out, " %s", option->text);
}

/* The first lines of it, each with the name before it: "plait map [OPTION]... COMMAND". */
static void add_usage(struct cmd_out *out, const struct cmd_page *page, size_t max)
{
    const char *line = page->usage;
    const char *before = "Usage: ";

    for (size_t i = 0; i < max && *line != '\0'; i++) {
        size_t n = strcspn(line, "\n");

        cmd_out(out, "%splait%s%s %.*s\n", before, page->name == NULL ? "" : " ",
                page->name == NULL ? "" : page->name, (int)n, line);
        before = "       ";
        line += n + (line[n] == '\n');
    }
}

static void add_examples(struct cmd_out *out, const struct cmd_page *page, size_t max)
{
    const struct cmd_example *e = page->examples;

    for (size_t i = 0; i < max && e[i].command != NULL; i++)
        cmd_out(out, "  %s\n      %s\n", e[i].command, e[i].says);
}

static void add_verbs(struct cmd_out *out)
{
    add_heading(out, "Verbs");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        cmd_out(out, "  %-12s  %s\n", (*p)->name, (*p)->summary);
}

/* Only the letter and the first name: one screen has no room for the others. */
static void add_short_option(struct cmd_out *out, const struct cmd_option *option)
{
    struct cmd_option bare = *option;
    struct cmd_out head = { 0 };

    bare.short_alias = 0;
    bare.alias = NULL;
    cmd_out_str(&head, bare.short_name == 0 ? "    " : ""); /* names stand below names */
    cmd_help_option_head(&head, &bare);
    if (head.error != 0)
        out->error = head.error;
    else
        cmd_out(out, "  %-*s  %s\n", SHORT_HEAD, head.buf.data, option->help);
    plait__buf_fini(&head.buf);
}

void cmd_help_short(struct cmd_out *out, const struct cmd_page *page)
{
    cmd_out(out, "plait%s%s - %s\n\n", page->name == NULL ? "" : " ",
            page->name == NULL ? "" : page->name, page->summary);
    add_examples(out, page, SHORT_EXAMPLES);
    cmd_out_str(out, "\n");
    add_usage(out, page, 1);
    if (page == &cmd_page_tool)
        add_verbs(out);
    cmd_out_str(out, "\n");
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++)
        if (o->is_common)
            add_short_option(out, o);
}

static void add_option(struct cmd_out *out, const struct cmd_option *option)
{
    struct cmd_out text = { 0 };

    add_blanks(out, INDENT);
    cmd_help_option_head(out, option);
    cmd_out_str(out, "\n");
    cmd_help_option_text(&text, option);
    if (text.error != 0)
        out->error = text.error;
    add_blanks(out, TEXT_INDENT);
    add_wrapped(out, text.buf.data, text.buf.len, TEXT_INDENT, TEXT_INDENT);
    plait__buf_fini(&text.buf);
}

void cmd_help_long(struct cmd_out *out, const struct cmd_page *page)
{
    const char *group = "";

    cmd_out(out, "plait%s%s - %s\n", page->name == NULL ? "" : " ",
            page->name == NULL ? "" : page->name, page->summary);
    add_heading(out, "Examples");
    add_examples(out, page, ALL);
    cmd_out_str(out, "\n");
    add_usage(out, page, ALL);
    cmd_out_str(out, "\n");
    add_text(out, page->about, 0);
    if (page == &cmd_page_tool)
        add_verbs(out);
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++) {
        if (strcmp(group, o->group) != 0)
            add_heading(out, o->group);
        group = o->group;
        add_option(out, o);
    }
    for (const struct cmd_section *s = page->sections; s != NULL && s->title != NULL; s++) {
        add_heading(out, s->title);
        add_text(out, s->text, INDENT);
    }
}

static size_t find_width(void)
{
    const char *columns = getenv("COLUMNS");
    long width = columns == NULL ? 0 : strtol(columns, NULL, 10);

    if (width <= 0)
        width = plait__os_terminal_columns(STDOUT_FILENO);
    if (width <= 0)
        return WIDTH_DEFAULT;
    if (width < WIDTH_MIN)
        return WIDTH_MIN;
    return width > WIDTH_MAX ? WIDTH_MAX : (size_t)width;
}

static bool wants_color(enum cmd_color color)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

    if (color != CMD_COLOR_AUTO)
        return color == CMD_COLOR_ALWAYS;
    if (no_color != NULL && *no_color != '\0')
        return false;
    return term != NULL && strcmp(term, "dumb") != 0 && isatty(STDOUT_FILENO);
}

int cmd_help_answer(const struct cmd_page *page, int id, enum cmd_color color)
{
    struct cmd_out out = { .has_color = wants_color(color), .width = find_width() };

    if (id == CMD_ID_VERSION)
        cmd_out_str(&out, "plait " CMD_VERSION "\n");
    else if (id == CMD_ID_HELP)
        cmd_help_long(&out, page);
    else
        cmd_help_short(&out, page);
    return cmd_out_finish(&out);
}
