/* `plait info`: the machine as plait sees it.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/exit.h"
#include "cmd/facts.h"
#include "cmd/help.h"
#include "cmd/info_json.h"
#include "cmd/options.h"
#include "cmd/out.h"
#include "cmd/page.h"
#include "cmd/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    ID_JSON = 1
};

enum {
    LABEL_COLUMNS = 18,
    VALUE_COLUMNS = 10
};

static const struct cmd_option options[] = {
    { .id = ID_JSON,
      .name = "json",
      .kind = CMD_FLAG,
      .group = "Options",
      .is_common = true,
      .help = "print one JSON object instead",
      .text = "Numbers are plain, in bytes where the key says so; what is not limited or not known "
              "is null. Keys may be added, and never change their meaning." },
    { .id = CMD_ID_SHORT_HELP,
      .short_name = 'h',
      .kind = CMD_FLAG,
      .group = "Options",
      .is_common = true,
      .help = "print a short help" },
    { .id = CMD_ID_HELP,
      .name = "help",
      .kind = CMD_FLAG,
      .group = "Options",
      .is_common = true,
      .help = "print all help" },
    { .id = CMD_ID_VERSION,
      .name = "version",
      .kind = CMD_FLAG,
      .group = "Options",
      .help = "print the version" },
    { 0 },
};

static const struct cmd_example examples[] = {
    { "plait info", "how many jobs run at once here, and why" },
    { "plait info --json | jq .cpus.used", "the same for a program" },
    { NULL, NULL },
};

const struct cmd_page cmd_page_info = {
    .name = "info",
    .summary = "show what plait finds on this machine",
    .usage = "[--json]",
    .about =
        "Prints versions, CPUs, memory, limits and features of the kernel, as plait sees them: "
        "what a job may use, and what to put into a bug report.\n"
        "The CPUs used are those of the affinity mask, but no more than the control group "
        "grants in CPU time.\n"
        "A feature of the kernel that is off has a fall-back; PLAIT_DISABLE switches features "
        "off by name.",
    .examples = examples,
    .options = options,
    .run = cmd_info,
};

/* What the command line asked for. */
struct request {
    bool json;
    bool is_answered; /* help or version was printed */
    int exit;
};

static int read_option(const struct cmd_option *option, const char *value, void *ctx)
{
    struct request *request = ctx;

    (void)value;
    if (option->id == ID_JSON) {
        request->json = true;
        return 0;
    }
    request->is_answered = true;
    request->exit = cmd_help_answer(&cmd_page_info, option->id, CMD_COLOR_AUTO);
    return -ECANCELED;
}

struct printer {
    struct cmd_out out;
    const char *group; /* the one being printed; NULL: none yet */
};

static const char *format_value(char buf[CMD_FORMAT_CAP], const struct cmd_fact *fact)
{
    if (fact->kind == CMD_FACT_TEXT)
        return fact->text != NULL ? fact->text : "unknown";
    if (fact->number == CMD_FACT_NONE)
        return fact->none;
    if (fact->kind == CMD_FACT_BYTES)
        return cmd_format_bytes(buf, CMD_FORMAT_CAP, fact->number);
    snprintf(buf, CMD_FORMAT_CAP, "%" PRIu64, fact->number);
    return buf;
}

static int print_fact(const struct cmd_fact *fact, void *ctx)
{
    struct printer *printer = ctx;
    char buf[CMD_FORMAT_CAP];

    if (printer->group != fact->group)
        cmd_out(&printer->out, "%s%s\n", printer->group != NULL ? "\n" : "", fact->group);
    printer->group = fact->group;
    cmd_out(&printer->out, "  %-*s ", LABEL_COLUMNS, fact->label);
    if (fact->remark != NULL)
        cmd_out(&printer->out, "%-*s %s\n", VALUE_COLUMNS, format_value(buf, fact), fact->remark);
    else
        cmd_out(&printer->out, "%s\n", format_value(buf, fact));
    if (fact->note != NULL)
        cmd_out(&printer->out, "  %-*s %s\n", LABEL_COLUMNS, "", fact->note);
    return printer->out.error;
}

int cmd_info(int argc, char **argv)
{
    struct request request = { 0 };
    struct printer printer = { 0 };
    int next = cmd_options_parse(&cmd_page_info, argc, argv, read_option, &request), rc;

    if (request.is_answered)
        return request.exit;
    if (next >= 0 && next < argc)
        next = cmd_usage_error(&cmd_page_info, "there is nothing to do with '%s'", argv[next]);
    if (next >= 0 && request.json && cmd_info_json_library() == NULL)
        next = cmd_usage_error(&cmd_page_info, "--json: this plait was built without jansson");
    if (next < 0)
        return CMD_EXIT_USAGE;
    rc = request.json ? cmd_info_json(&printer.out.buf)
                      : cmd_facts_tell(cmd_info_json_library(), print_fact, &printer);
    if (printer.out.error == 0)
        printer.out.error = rc;
    return cmd_out_finish(&printer.out);
}
