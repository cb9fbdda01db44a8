/* The completion of fish.
 * SPDX-License-Identifier: MIT
 *
 * Each option has a condition: that the cursor is still among the options of its verb. A function
 * walks the words before the cursor as the parser of options.c does.
 */
#include "cmd/completion.h"
#include "cmd/help.h"

#include <stdio.h>

static void add_escaped(struct cmd_out *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            cmd_out_str(out, "\\");
        cmd_out_bytes(out, text, 1);
    }
}

static void add_value(struct cmd_out *out, const struct cmd_option *option)
{
    if (option->words != NULL)
        cmd_out(out, " %s -a '%s'", option->kind == CMD_VALUE ? "-x" : "-f", option->words);
    else if (option->kind == CMD_OPTIONAL_VALUE)
        cmd_out_str(out, option->complete == CMD_COMPLETE_FILE ? " -F" : " -f");
    else if (option->complete == CMD_COMPLETE_FILE)
        cmd_out_str(out, " -r -F");
    else if (option->complete == CMD_COMPLETE_DIR)
        cmd_out_str(out, " -x -a '(__fish_complete_directories)'");
    else
        cmd_out_str(out, " -x");
}

static void add_option(struct cmd_out *out, const char *condition, const struct cmd_option *option)
{
    const char letters[] = { option->short_name, option->short_alias };
    const char *const names[] = { option->name, option->alias };

    for (size_t i = 0; i < 2; i++) {
        if (letters[i] == 0 && names[i] == NULL)
            continue;
        cmd_out(out, "complete -c plait -n '%s'", condition);
        if (letters[i] != 0)
            cmd_out(out, " -s %c", letters[i]);
        if (names[i] != NULL)
            cmd_out(out, " -l %s", names[i]);
        if (option->kind != CMD_FLAG)
            add_value(out, option);
        cmd_out_str(out, " -d '");
        add_escaped(out, option->help);
        cmd_out_str(out, "'\n");
    }
}

/* The options whose value is the next word. */
static void add_valued(struct cmd_out *out, const struct cmd_page *page)
{
    cmd_out(out, "        case %s\n            set valued", page->name);
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++) {
        if (o->kind != CMD_VALUE)
            continue;
        if (o->short_name != 0)
            cmd_out(out, " -%c", o->short_name);
        if (o->short_alias != 0)
            cmd_out(out, " -%c", o->short_alias);
        if (o->name != NULL)
            cmd_out(out, " --%s", o->name);
        if (o->alias != NULL)
            cmd_out(out, " --%s", o->alias);
    }
    cmd_out_str(out, "\n");
}

static void add_walk(struct cmd_out *out)
{
    cmd_out_str(out, "# Is the cursor among the options of this verb?\n"
                     "function __plait_in_options\n"
                     "    set -l words (commandline -opc)\n"
                     "    test (count $words) -ge 2; and test $words[2] = $argv[1]; or return 1\n"
                     "    set -e words[1..2]\n"
                     "    set -l valued\n"
                     "    switch $argv[1]\n");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        add_valued(out, *p);
    cmd_out_str(out, "    end\n"
                     "    set -l skip 0\n"
                     "    for word in $words\n"
                     "        if test $skip = 1\n"
                     "            set skip 0\n"
                     "        else if contains -- $word $valued\n"
                     "            set skip 1\n"
                     "        else if test \"$word\" = --; or not string match -q -- '-?*' $word\n"
                     "            return 1\n"
                     "        end\n"
                     "    end\n"
                     "    return 0\n"
                     "end\n\n");
}

static void add_page(struct cmd_out *out, const struct cmd_page *page)
{
    char condition[64];

    snprintf(condition, sizeof condition, "__plait_in_options %s", page->name);
    cmd_out(out, "\ncomplete -c plait -n 'test (count (commandline -opc)) -eq 1' -f -a %s -d '",
            page->name);
    add_escaped(out, page->summary);
    cmd_out_str(out, "'\n");
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++)
        add_option(out, condition, o);
    if (page->takes_command)
        cmd_out(out, "complete -c plait -n '%s' -f -a '(__fish_complete_command)'\n", condition);
    else
        cmd_out(out, "complete -c plait -n '%s' -f -a '%s'\n", condition,
                page->words == NULL ? "" : page->words);
}

void cmd_completion_fish(struct cmd_out *out)
{
    cmd_out_str(out, "# Completion of plait for fish; made by: plait completion fish\n");
    add_walk(out);
    for (const struct cmd_option *o = cmd_page_tool.options; !cmd_option_is_end(o); o++)
        add_option(out, "test (count (commandline -opc)) -eq 1", o);
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        add_page(out, *p);
}
