/* The page of the tool itself, and its verbs; the page of each verb stands beside its code.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/page.h"

#include "cmd/options.h"
#include "cmd/suggest.h"

#include <string.h>

static const char other[] = "Options";

static const char exit_status[] = "0\tAll went well.\n"
                                  "1\tSome job failed.\n"
                                  "2\tThe command line was wrong; nothing was done.\n"
                                  "5\tStopped by --halt.\n"
                                  "125\tplait itself failed.\n"
                                  "126\tA command cannot be executed.\n"
                                  "127\tA command was not found.\n"
                                  "128+N\tEnded by signal N.";

static const char environment[] =
    "PLAIT_JOBS\tHow many jobs run at once, see plait map -j.\n"
    "PLAIT_SHELL\tThe shell of snippets, see plait map --shell.\n"
    "NO_COLOR, TERM\tNo colours when NO_COLOR is set or TERM is dumb.\n"
    "COLUMNS\tThe width of help, up to 100.";

static const struct cmd_section tool_sections[] = {
    { "EXIT STATUS", exit_status },
    { "ENVIRONMENT", environment },
    { NULL, NULL },
};

static const struct cmd_example tool_examples[] = {
    { "plait map gzip -9 ::: *.log", "Compress files, as many at once as there are CPUs" },
    { "plait map 'zcat {} | grep -c ERROR' ::: *.gz", "Run a snippet for each file" },
    { "plait info", "What this machine lets plait do" },
    { NULL, NULL },
};

static const struct cmd_option tool_options[] = {
    { .id = CMD_ID_SHORT_HELP,
      .short_name = 'h',
      .group = other,
      .is_common = true,
      .help = "Show this" },
    { .id = CMD_ID_HELP,
      .name = "help",
      .group = other,
      .is_common = true,
      .help = "Show more; plait VERB --help shows everything" },
    { .id = CMD_ID_VERSION,
      .name = "version",
      .group = other,
      .is_common = true,
      .help = "Show which plait this is" },
    { .name = NULL },
};

/* GNU parallel has no verbs: what is typed from habit. */
static const struct cmd_foreign tool_foreign[] = {
    { "-j", "it belongs to a verb: plait map -j N ..." },
    { "-k", "it belongs to a verb: plait map -k ..." },
    { "--jobs", "it belongs to a verb: plait map --jobs N ..." },
    { "--bar", "it belongs to a verb: plait map --bar ..." },
    { NULL, NULL },
};

const struct cmd_page cmd_page_tool = {
    .name = NULL,
    .summary = "processes, threads and coroutines for C and for the shell",
    .usage = "VERB [OPTION]... [WORD]...",
    .about =
        "plait runs commands in parallel and gives an exact account of each. It is the tool of the "
        "library libplait.",
    .examples = tool_examples,
    .options = tool_options,
    .sections = tool_sections,
    .foreign = tool_foreign,
};

const struct cmd_page *const cmd_pages[] = { &cmd_page_map, &cmd_page_info, &cmd_page_completion,
                                             &cmd_page_help, NULL };

const struct cmd_page *cmd_page_find(const char *name)
{
    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        if (strcmp((*p)->name, name) == 0)
            return *p;
    return NULL;
}

void cmd_page_refuse(const struct cmd_page *page, const char *name)
{
    struct cmd_suggestion guess = { .word = name };

    for (const struct cmd_page *const *p = cmd_pages; *p != NULL; p++)
        cmd_suggest_offer(&guess, (*p)->name);
    if (guess.best != NULL)
        cmd_usage_error(page, "there is no verb '%s'; did you mean '%s'?", name, guess.best);
    else
        cmd_usage_error(page, "there is no verb '%s'; there are map, info, completion and help",
                        name);
}
