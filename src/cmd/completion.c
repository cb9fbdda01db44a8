/* The verb `completion`.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/completion.h"

#include "cmd/exit.h"
#include "cmd/help.h"
#include "cmd/options.h"

#include <string.h>

static const char group[] = "Options";

static const struct cmd_option completion_options[] = {
    CMD_OPTION_HELP(group),
    { .name = NULL },
};

static const struct cmd_example completion_examples[] = {
    { "source <(plait completion bash)", "In bash; put the line into ~/.bashrc" },
    { "plait completion zsh > ~/.zfunc/_plait", "In zsh, into any folder of $fpath" },
    { "plait completion fish > ~/.config/fish/completions/plait.fish", "In fish" },
    { NULL, NULL },
};

const struct cmd_page cmd_page_completion = {
    .name = "completion",
    .summary = "print the completion of verbs and options for a shell",
    .usage = "bash|zsh|fish",
    .about = "Prints a script that teaches a shell to complete plait's command lines. An installed "
             "plait has it in place.",
    .examples = completion_examples,
    .options = completion_options,
    .words = "bash zsh fish",
    .run = cmd_completion,
};

int cmd_completion(int argc, char **argv)
{
    const struct cmd_page *page = &cmd_page_completion;
    struct cmd_out out = { 0 };
    int exit_code = CMD_EXIT_USAGE;
    int first = cmd_options_parse_plain(page, argc, argv, &exit_code);

    if (first < 0)
        return exit_code;
    if (argc - first != 1) {
        cmd_usage_error(page, "name one shell: bash, zsh or fish");
        return CMD_EXIT_USAGE;
    }
    if (strcmp(argv[first], "bash") == 0) {
        cmd_completion_bash(&out);
    } else if (strcmp(argv[first], "zsh") == 0) {
        cmd_completion_zsh(&out);
    } else if (strcmp(argv[first], "fish") == 0) {
        cmd_completion_fish(&out);
    } else {
        cmd_usage_error(page, "there is completion for bash, zsh and fish, but not for '%s'",
                        argv[first]);
        return CMD_EXIT_USAGE;
    }
    return cmd_out_finish(&out);
}
