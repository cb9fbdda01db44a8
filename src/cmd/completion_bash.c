/* The completion of bash.
 * SPDX-License-Identifier: MIT
 *
 * One function of bash walks the words up to the cursor as the parser of options.c does, so that it
 * knows whether the cursor stands in an option's value, among the options or behind the command. It
 * needs no bash-completion package.
 */
#include "cmd/completion.h"
#include "cmd/help.h"

#include <stdio.h>

/* Of a verb, with its colon. */
enum {
    NAME_BYTES = 32
};

static void add_names(struct cmd_out *out, const struct cmd_option *option, const char *before,
                      const char *between)
{
    const char letters[] = { option->short_name, option->short_alias };
    const char *const names[] = { option->name, option->alias };

    for (size_t i = 0; i < sizeof letters; i++)
        if (letters[i] != 0) {
            cmd_out(out, "%s-%c", before, letters[i]);
            before = between;
        }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i] != NULL) {
            cmd_out(out, "%s--%s", before, names[i]);
            before = between;
        }
}

/* The letters of flags, or of options with a value, for a bracket expression. */
static void add_letters(struct cmd_out *out, const struct cmd_page *page, bool with_value)
{
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++) {
        if ((o->kind == CMD_VALUE) != with_value || o->short_name == 0)
            continue;
        cmd_out_bytes(out, &o->short_name, 1);
        if (o->short_alias != 0)
            cmd_out_bytes(out, &o->short_alias, 1);
    }
}

static void add_verb(struct cmd_out *out, const struct cmd_page *page)
{
    cmd_out(out, "    %s)\n        all='", page->name);
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++)
        add_names(out, o, " ", " ");
    cmd_out_str(out, " '\n        valued='");
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++)
        if (o->kind == CMD_VALUE)
            add_names(out, o, " ", " ");
    cmd_out_str(out, " '\n        cluster='^-[");
    add_letters(out, page, false);
    /* a letter that no option can have, so that the brackets are never empty */
    cmd_out_str(out, "]*[:");
    add_letters(out, page, true);
    cmd_out_str(out, "]$'\n        ;;\n");
}

static void add_values(struct cmd_out *out, const struct cmd_page *page)
{
    for (const struct cmd_option *o = page->options; !cmd_option_is_end(o); o++) {
        char before[NAME_BYTES], between[NAME_BYTES];

        if (o->kind == CMD_FLAG)
            continue;
        snprintf(before, sizeof before, "%s:", page->name);
        snprintf(between, sizeof between, "|%s:", page->name);
        cmd_out_str(out, "    ");
        add_names(out, o, before, between);
        if (o->words != NULL)
            cmd_out(out, ") compgen -W '%s' -- \"$3\" ;;\n", o->words);
        else if (o->complete == CMD_COMPLETE_FILE)
            cmd_out_str(out, ") compgen -f -- \"$3\" ;;\n");
        else if (o->complete == CMD_COMPLETE_DIR)
            cmd_out_str(out, ") compgen -d -- \"$3\" ;;\n");
        else
            cmd_out_str(out, ") ;;\n");
    }
    if (page->words != NULL)
        cmd_out(out, "    %s:) compgen -W '%s' -- \"$3\" ;;\n", page->name, page->words);
    else if (page->takes_command)
        cmd_out(out, "    %s:) compgen -c -- \"$3\" ;;\n", page->name);
}

static const char walk[] =
    "_plait()\n"
    "{\n"
    "    local line=$COMP_LINE piece=${COMP_WORDS[COMP_CWORD]} words=() word='' i\n"
    "    local all='' valued=' ' cluster='^$' option='' where=options cur='' blanks\n"
    "    COMPREPLY=()\n"
    "    # Bash cuts words at = and : where plait does not: join what had no blank between.\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        blanks=${line%%[![:blank:]]*}\n"
    "        if ((i > 0)) && [[ -z $blanks && -n $line ]]; then\n"
    "            words[${#words[@]} - 1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "        line=${line#\"$blanks\"}\n"
    "        line=${line#\"$word\"}\n"
    "    done\n"
    "    local last=$((${#words[@]} - 1))\n"
    "    cur=${words[last]}\n"
    "    if ((last < 1)); then\n"
    "        return\n"
    "    fi\n"
    "    if ((last == 1)); then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(_plait_verbs)\" -- \"$cur\")\n"
    "        return\n"
    "    fi\n"
    "    _plait_options \"${words[1]}\"\n"
    "    for ((i = 2; i < last; i++)); do\n"
    "        word=${words[i]}\n"
    "        if [[ $word == -- ]]; then\n"
    "            where=first\n"
    "            ((i + 1 < last)) && where=behind\n"
    "            break\n"
    "        elif [[ $valued == *\" $word \"* || $word =~ $cluster ]]; then\n"
    "            [[ $word == --* ]] || word=-${word: -1}\n"
    "            if ((i + 1 == last)); then\n"
    "                option=$word\n"
    "            fi\n"
    "            ((++i))\n"
    "        elif [[ $word != -?* ]]; then\n"
    "            where=behind\n"
    "            break\n"
    "        fi\n"
    "    done\n"
    "    if [[ $where == options && -z $option && $cur == --*=* ]]; then\n"
    "        option=${cur%%=*}\n"
    "        cur=${cur#*=}\n"
    "    fi\n"
    "    if [[ $where == behind ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    elif [[ -n $option ]]; then\n"
    "        mapfile -t COMPREPLY < <(_plait_value \"${words[1]}\" \"$option\" \"$cur\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    elif [[ $where == options && $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$all\" -- \"$cur\")\n"
    "    else\n"
    "        mapfile -t COMPREPLY < <(_plait_value \"${words[1]}\" '' \"$cur\")\n"
    "    fi\n"
    "    # Bash replaces only what stands behind the last = or :.\n"
    "    [[ $piece == [=:]* ]] && piece=''\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"$piece\"}\"}\")\n"
    "}\n"
    "complete -F _plait plait\n";

void cmd_completion_bash(struct cmd_out *out)
{
    cmd_out_str(out, "# Completion of plait for bash; made by: plait completion bash\n"
                     "_plait_verbs()\n{\n    echo '");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        cmd_out(out, "%s ", (*p)->name);
    for (const struct cmd_option *o = cmd_page_tool.options; !cmd_option_is_end(o); o++)
        add_names(out, o, " ", " ");
    cmd_out_str(
        out,
        "'\n}\n\n# Sets all, valued and cluster of the caller.\n_plait_options()\n{\n    case $1 "
        "in\n");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        add_verb(out, *p);
    cmd_out_str(
        out,
        "    esac\n}\n\n# What may stand for the value of option $2 of the verb $1, or for its "
        "first word.\n"
        "_plait_value()\n{\n    case $1:$2 in\n");
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        add_values(out, *p);
    cmd_out_str(out, "    esac\n}\n\n");
    cmd_out_str(out, walk);
}
