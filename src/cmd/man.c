/* The man pages, made from the tables of the verbs.
 * SPDX-License-Identifier: MIT
 *
 * man(7) macros only: they are read by groff and by mandoc alike. Nothing of a text may be taken
 * for a request: a line never begins with '.' or ''', and a backslash and a minus are always
 * escaped (a bare '-' would become a hyphen that cannot be pasted into a shell).
 */
#include "cmd/man.h"

#include "cmd/help.h"
#include "cmd/version.h"

#include <ctype.h>
#include <string.h>

/* Of the source, before what the escapes add. */
enum {
    LINE = 64
};

static void add_escaped(struct cmd_out *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 && (text[i] == '.' || text[i] == '\''))
            cmd_out_str(out, "\\&");
        switch (text[i]) {
        case '\\':
            cmd_out_str(out, "\\e");
            break;
        case '-':
            cmd_out_str(out, "\\-");
            break;
        case '\'':
            cmd_out_str(out, "\\(aq");
            break;
        case '`':
            cmd_out_str(out, "\\(ga");
            break;
        case '^':
            cmd_out_str(out, "\\(ha");
            break;
        case '~':
            cmd_out_str(out, "\\(ti");
            break;
        case '"':
            cmd_out_str(out, "\\(dq");
            break;
        default:
            cmd_out_bytes(out, &text[i], 1);
        }
    }
}

static void add_line(struct cmd_out *out, const char *text, size_t n)
{
    add_escaped(out, text, n);
    cmd_out_str(out, "\n");
}

static size_t next_word(const char *text, size_t n)
{
    const char *blank = memchr(text, ' ', n);

    return blank == NULL ? n : (size_t)(blank - text);
}

/* Words, in lines of a length that is agreeable in the source; each sentence begins one, as roff
 * wants it. */
static void add_paragraph(struct cmd_out *out, const char *text, size_t n)
{
    size_t column = 0;

    while (n > 0) {
        size_t word = next_word(text, n);
        size_t used = word + (word < n); /* with the blank behind it */
        bool is_end = word > 1 && text[word - 1] == '.' && text[word - 2] != '.'; /* not of "..." */

        add_escaped(out, text, word);
        column += used;
        text += used;
        n -= used;
        if (n == 0 || is_end || column + next_word(text, n) > LINE) {
            cmd_out_str(out, "\n");
            column = 0;
        } else {
            cmd_out_str(out, " ");
        }
    }
}

static void add_bold(struct cmd_out *out, const char *text, size_t n)
{
    cmd_out_str(out, "\\fB");
    add_escaped(out, text, n);
    cmd_out_str(out, "\\fR");
}

/* A term and the one line that explains it. */
static void add_item(struct cmd_out *out, const char *term, const char *says)
{
    cmd_out_str(out, ".TP\n");
    add_bold(out, term, strlen(term));
    cmd_out_str(out, "\n");
    add_escaped(out, says, strlen(says));
    cmd_out_str(out, ".\n");
}

static void add_text(struct cmd_out *out, const char *text)
{
    enum cmd_block_kind before = CMD_BLOCK_PARAGRAPH;
    bool is_first = true;
    struct cmd_block block;

    while (cmd_block_next(&text, &block)) {
        if (before == CMD_BLOCK_LITERAL && block.kind != CMD_BLOCK_LITERAL)
            cmd_out_str(out, ".fi\n.RE\n");
        if (block.kind == CMD_BLOCK_LITERAL && (is_first || before != CMD_BLOCK_LITERAL))
            cmd_out_str(out, is_first ? ".RS 4\n.nf\n" : ".PP\n.RS 4\n.nf\n");
        if (block.kind == CMD_BLOCK_PARAGRAPH && !is_first)
            cmd_out_str(out, ".PP\n");
        if (block.kind == CMD_BLOCK_ITEM) {
            cmd_out_str(out, ".TP\n");
            add_bold(out, block.term, block.term_len);
            cmd_out_str(out, "\n");
        }
        if (block.kind == CMD_BLOCK_LITERAL)
            add_line(out, block.text, block.text_len);
        else
            add_paragraph(out, block.text, block.text_len);
        before = block.kind;
        is_first = false;
    }
    if (before == CMD_BLOCK_LITERAL && !is_first)
        cmd_out_str(out, ".fi\n.RE\n");
}

/* "-j, --jobs N": names bold, the value's name in italics. */
static void add_option_head(struct cmd_out *out, const struct cmd_option *option)
{
    struct cmd_option names = *option;
    struct cmd_out head = { 0 };

    names.kind = CMD_FLAG;
    cmd_help_option_head(&head, &names);
    if (head.error != 0) {
        out->error = head.error;
    } else {
        cmd_out_str(out, ".TP\n");
        add_bold(out, head.buf.data, head.buf.len);
    }
    plait__buf_fini(&head.buf);
    if (option->kind != CMD_FLAG) {
        cmd_out_str(out, option->kind == CMD_VALUE ? " \\fI" : "[=\\fI");
        add_escaped(out, option->metavar, strlen(option->metavar));
        cmd_out_str(out, option->kind == CMD_VALUE ? "\\fR" : "\\fR]");
    }
    cmd_out_str(out, "\n");
}

static void add_option_text(struct cmd_out *out, const struct cmd_option *option)
{
    struct cmd_out text = { 0 };

    cmd_help_option_text(&text, option);
    if (text.error != 0)
        out->error = text.error;
    add_paragraph(out, text.buf.data, text.buf.len);
    plait__buf_fini(&text.buf);
}

static void add_options(struct cmd_out *out, const struct cmd_page *page)
{
    const char *group = "";

    cmd_out_str(out, ".SH OPTIONS\n");
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++) {
        if (strcmp(group, o->group) != 0)
            cmd_out(out, ".SS %s\n", o->group);
        group = o->group;
        add_option_head(out, o);
        add_option_text(out, o);
    }
}

/* "PLAIT-MAP": pages are called so in their heads. */
static void add_title(struct cmd_out *out, const struct cmd_page *page)
{
    cmd_out_str(out, "PLAIT");
    if (page->name == NULL)
        return;
    cmd_out_str(out, "\\-");
    for (const char *c = page->name; *c != '\0'; c++)
        cmd_out(out, "%c", toupper((unsigned char)*c));
}

static void add_name(struct cmd_out *out, const struct cmd_page *page)
{
    cmd_out_str(out, ".TH ");
    add_title(out, page);
    cmd_out_str(out, " 1 " CMD_VERSION_DATE " \"plait " CMD_VERSION "\" \"User Commands\"\n");
    cmd_out(out, ".SH NAME\nplait%s%s \\- ", page->name == NULL ? "" : "\\-",
            page->name == NULL ? "" : page->name);
    add_line(out, page->summary, strlen(page->summary));
}

static void add_synopsis(struct cmd_out *out, const struct cmd_page *page)
{
    const char *line = page->usage;

    cmd_out_str(out, ".SH SYNOPSIS\n");
    while (*line != '\0') {
        size_t n = strcspn(line, "\n");

        if (line != page->usage)
            cmd_out_str(out, ".br\n");
        cmd_out(out, "\\fBplait%s%s\\fR ", page->name == NULL ? "" : " ",
                page->name == NULL ? "" : page->name);
        add_line(out, line, n);
        line += n + (line[n] == '\n');
    }
}

static void add_examples(struct cmd_out *out, const struct cmd_page *page)
{
    cmd_out_str(out, ".SH EXAMPLES\n");
    for (const struct cmd_example *e = page->examples; e->command != NULL; e++)
        add_item(out, e->command, e->says);
}

static void add_verbs(struct cmd_out *out)
{
    cmd_out_str(out, ".SH VERBS\n");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        add_item(out, (*p)->name, (*p)->summary);
}

/* The tool's page leads to those of its verbs, theirs to each other and back. */
static void add_see_also(struct cmd_out *out, const struct cmd_page *page)
{
    const char *comma = "";

    cmd_out_str(out, ".SH SEE ALSO\n");
    if (page != &cmd_page_tool) {
        cmd_out_str(out, ".BR plait (1)");
        comma = " ,\n";
    }
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++) {
        if (*p == page || !(*p)->has_man_page)
            continue;
        cmd_out(out, "%s.BR plait\\-%s (1)", comma, (*p)->name);
        comma = " ,\n";
    }
    cmd_out_str(out, "\n");
}

void cmd_man(struct cmd_out *out, const struct cmd_page *page)
{
    cmd_out_str(out,
                ".\\\" Made by plait help \\-\\-man from its table of options; do not edit.\n");
    add_name(out, page);
    add_synopsis(out, page);
    cmd_out_str(out, ".SH DESCRIPTION\n");
    add_text(out, page->about);
    if (page == &cmd_page_tool)
        add_verbs(out);
    add_options(out, page);
    for (const struct cmd_section *s = page->sections; s != NULL && s->title != NULL; s++) {
        cmd_out(out, ".SH %s\n", s->title);
        add_text(out, s->text);
    }
    add_examples(out, page);
    add_see_also(out, page);
}
