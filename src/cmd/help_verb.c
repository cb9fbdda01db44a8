/* The verb `help`.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/exit.h"
#include "cmd/help.h"
#include "cmd/man.h"
#include "cmd/options.h"

#include <errno.h>

enum {
    ID_MAN = 1
};

static const char group[] = "Options";

static const struct cmd_option help_options[] = {
    { .id = ID_MAN,
      .name = "man",
      .group = group,
      .is_common = true,
      .help = "Print the man page's source instead" },
    CMD_OPTION_HELP(group),
    { .name = NULL },
};

static const struct cmd_example help_examples[] = {
    { "plait help map", "Everything about map" },
    { "plait help --man map > plait-map.1", "Its man page" },
    { NULL, NULL },
};

const struct cmd_page cmd_page_help = {
    .name = "help",
    .summary = "show everything about a verb",
    .usage = "[--man] [VERB]",
    .about = "Shows what plait VERB --help shows; without a verb, what plait --help shows.",
    .examples = help_examples,
    .options = help_options,
    .words = "map info completion help",
    .run = cmd_help,
};

/* What its options said. */
struct reading {
    bool wants_man;
    int exit;
};

static int take_option(const struct cmd_option *option, const char *value, void *ctx)
{
    struct reading *reading = ctx;

    (void)value;
    if (option->id == ID_MAN) {
        reading->wants_man = true;
        return 0;
    }
    reading->exit = cmd_help_answer(&cmd_page_help, option->id, CMD_COLOR_AUTO);
    return -ECANCELED;
}

int cmd_help(int argc, char **argv)
{
    struct reading reading = { .exit = CMD_EXIT_USAGE };
    const struct cmd_page *page = &cmd_page_tool;
    struct cmd_out out = { 0 };
    int first = cmd_options_parse(&cmd_page_help, argc, argv, take_option, &reading);

    if (first < 0)
        return reading.exit;
    if (argc - first > 1) {
        cmd_usage_error(&cmd_page_help, "it takes one verb, and options before it");
        return CMD_EXIT_USAGE;
    }
    if (argc - first == 1)
        page = cmd_page_find(argv[first]);
    if (page == NULL) {
        cmd_page_refuse(&cmd_page_help, argv[first]);
        return CMD_EXIT_USAGE;
    }
    if (!reading.wants_man)
        return cmd_help_answer(page, CMD_ID_HELP, CMD_COLOR_AUTO);
    cmd_man(&out, page);
    return cmd_out_finish(&out);
}
