/* The completion of zsh.
 * SPDX-License-Identifier: MIT
 *
 * _arguments has the parser: -A '-*' ends the options at the first word that is none, `=` after a
 * long name means the same word or the next, `=-` only the same word, `+` after a letter the same
 * word or the next.
 */
#include "cmd/completion.h"
#include "cmd/help.h"

/* In single quotes, inside the brackets and between the colons of _arguments. */
static void add_escaped(struct cmd_out *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            cmd_out_str(out, "'\\'");
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            cmd_out_str(out, "\\");
        cmd_out_bytes(out, text, 1);
    }
}

static void add_value(struct cmd_out *out, const struct cmd_option *option)
{
    cmd_out_str(out, option->kind == CMD_OPTIONAL_VALUE ? "::" : ":");
    add_escaped(out, option->metavar);
    if (option->words != NULL)
        cmd_out(out, ":(%s)", option->words);
    else if (option->complete == CMD_COMPLETE_FILE)
        cmd_out_str(out, ":_files");
    else if (option->complete == CMD_COMPLETE_DIR)
        cmd_out_str(out, ":_files -/");
    else
        cmd_out_str(out, ": ");
}

static void add_option(struct cmd_out *out, const struct cmd_option *option)
{
    static const char *const after_long[] = { "", "=", "=-" };
    const char letters[] = { option->short_name, option->short_alias };
    const char *const names[] = { option->name, option->alias };

    for (size_t i = 0; i < 4; i++) {
        if (i < 2 ? letters[i] == 0 : names[i - 2] == NULL)
            continue;
        if (i < 2)
            cmd_out(out, "        '*-%c%s[", letters[i], option->kind == CMD_FLAG ? "" : "+");
        else
            cmd_out(out, "        '*--%s%s[", names[i - 2], after_long[option->kind]);
        add_escaped(out, option->help);
        cmd_out_str(out, "]");
        if (option->kind != CMD_FLAG)
            add_value(out, option);
        cmd_out_str(out, "' \\\n");
    }
}

static void add_page(struct cmd_out *out, const struct cmd_page *page)
{
    cmd_out(out, "_plait_%s() {\n    _arguments -s -S -A '-*' \\\n", page->name);
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++)
        add_option(out, o);
    if (page->takes_command)
        cmd_out_str(
            out, "        '(-):command: _command_names -e' \\\n        '*::arguments: _normal'\n");
    else
        cmd_out(out, "        ':word:(%s)'\n", page->words == NULL ? "" : page->words);
    cmd_out_str(out, "}\n\n");
}

void cmd_completion_zsh(struct cmd_out *out)
{
    cmd_out_str(out,
                "#compdef plait\n# Completion of plait for zsh; made by: plait completion zsh\n\n");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        add_page(out, *p);
    cmd_out_str(
        out,
        "_plait() {\n    if (( CURRENT == 2 )); then\n        local -a verbs\n        verbs=(\n");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++) {
        cmd_out(out, "            '%s:", (*p)->name);
        add_escaped(out, (*p)->summary);
        cmd_out_str(out, "'\n");
    }
    cmd_out_str(out, "        )\n        _describe -t verbs verb verbs\n        _arguments \\\n");
    for (const struct cmd_option *o = cmd_page_tool.options; !cmd_option_is_end(o); o++)
        add_option(out, o);
    cmd_out_str(out, "            && return\n        return\n    fi\n"
                     "    shift words\n    (( CURRENT-- ))\n    case $words[1] in\n");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        cmd_out(out, "    %s) _plait_%s ;;\n", (*p)->name, (*p)->name);
    cmd_out_str(
        out, "    esac\n}\n\n"
             "# As a file of $fpath it is run for a completion, otherwise it is sourced.\n"
             "if [[ $funcstack[1] == _plait ]]; then\n    _plait \"$@\"\nelse\n    compdef _plait "
             "plait\nfi\n");
}
