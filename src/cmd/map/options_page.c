/* What help and man page of `plait map` say beside its options.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/options_private.h"

static const struct cmd_example examples[] = {
    { "plait map gzip -9 ::: *.log", "Compress files, as many at once as there are CPUs" },
    { "plait map 'zcat {} | grep -c ERROR' ::: *.gz",
      "One word is a snippet for the shell; {} comes quoted" },
    { "find . -name '*.png' -print0 | plait map -0 convert {} {.}.jpg",
      "Inputs from a pipe; {.} drops the extension" },
    { "plait map -j4 --joblog run.log --retries 3 --timeout 30s ./fetch :::: urls.txt",
      "Four at once, each tried up to three times, with an account of each" },
    { "plait map --joblog run.log --resume ./fetch :::: urls.txt",
      "Go on after an interruption: only what is not in the log" },
    { "plait map --joblog run.log --retry-failed", "Run what failed again" },
    { "plait map -k echo {1}-{2} ::: a b ::: 1 2",
      "Each with each, in the order of the input: a-1 a-2 b-1 b-2" },
    { "plait map -k echo {1}-{2} ::: a b :::+ 1 2", "In step: a-1 b-2" },
    { "plait map -C , --header : echo {name} {age} :::: people.csv", "Columns by their names" },
    { "plait map ::: 'make -C a' 'make -C b'", "Without a command each input is one" },
    { "plait map --so ./libthumb.so:thumb ::: *.jpg", "A C function for each, in processes" },
    { NULL, NULL },
};

static const char about[] =
    "Runs COMMAND once for each input, several at once, and prints the output of each job in one "
    "piece. The exit status says whether all of them succeeded.\n"
    "Several words are executed directly: no shell reads them, and blanks in an input do no harm. "
    "So is one plain word. One word with blanks or shell characters in it is a snippet for the "
    "shell, in which {} is quoted for the place where it stands. --exec and --shell decide "
    "otherwise. Where no replacement string is in the command, {} is added at its end.\n"
    "Options end at the first word of the command. The inputs are the words after :::, the lines "
    "of the files after :::: or -a, or else the lines of standard input. Several sources are "
    "crossed; :::+ and ::::+ go in step with the source before them.\n"
    "A job's standard input is /dev/null. It runs in a process group of its own, and on a time-out "
    "or Ctrl-C everything that it started ends with it.";

static const char replacement_strings[] =
    "{}\tThe input. With several inputs (-n, -X, crossed sources), as a whole word: each as a word "
    "of its own.\n"
    "{.}\tWithout its last extension: dir/photo.png is dir/photo.\n"
    "{/}\tIts base name: photo.png.\n"
    "{//}\tIts folder: dir.\n"
    "{/.}\tBase name without extension: photo.\n"
    "{:}\tWithout all its extensions: dir/a.tar.gz is dir/a.\n"
    "{^TEXT}\tWithout TEXT at its end.\n"
    "{#}\tThe number of the job: 1, 2, 3 ...\n"
    "{%}\tThe slot it runs in, 1 to -j: no two running jobs have the same.\n"
    "{1} {2}\tThe first and second input or column; {1.} {2/} and so on work too.\n"
    "{name}\tThe column of this name, with --header.\n"
    "In a snippet a { after $ belongs to the shell. A value inside sh -c '... {} ...' is code for "
    "that inner shell: pass it as an argument instead, as sh -c '... \"$1\" ...' sh {}.";

static const char functions[] =
    "--so ./library.so:function calls a C function of a shared object for each input, in a pool of "
    "processes, of threads with --as thread, or of coroutines with --as coroutine. Words before ::: are what it gets instead of the "
    "input; replacement strings work in them.\n"
    "    int function(plait_task *task, const void *in, size_t n)\n"
    "is declared in plait/plugin.h. It gets the n bytes of the input; a NUL is behind them, and between "
    "several values. What it hands to plait_task_write is the output of the job, and 0 is success. A "
    "negative result -N is a failure with exit status N; plait_task_fail says why. Of a failed one nothing "
    "is printed.\n"
    "    int function(int argc, char **argv)\n"
    "is what --argv says. Its result is the exit status of the job, and what it prints the output.\n"
    "In a process standard output is collected, standard input is /dev/null, and a crash, a call of exit "
    "or the end of --timeout is the end of this one job; output that was not handed over by then is lost. "
    "Standard error is plait's own. Threads and coroutines share plait's standard output, which is not collected, and "
    "its other descriptors; a crash is the end of plait, and a time-out or Ctrl-C is what "
    "plait_task_cancelled says: nobody can end one that does not ask.\n"
    "With --kill-after a process, too, is told by plait_task_cancelled first; on Ctrl-C it has 1 second "
    "otherwise. What a function starts in the background is not looked for.\n"
    "A shared object is made by cc -shared -fPIC -o library.so source.c. It may be linked with libplait, "
    "and uses the one in plait in any case.";

static const char exit_status[] =
    "0\tAll jobs succeeded, or --halt got the success it waited for.\n"
    "1\tSome job failed.\n"
    "2\tThe command line was wrong; nothing was run.\n"
    "5\tStopped by --halt after failures.\n"
    "125\tplait itself failed.\n"
    "126\tThe command cannot be executed, or the library of --so not loaded; nothing was run.\n"
    "127\tThe command, library or function was not found; nothing was run.\n"
    "128+N\tplait was ended by signal N: 130 after Ctrl-C.\n"
    "With --exit=count it is GNU parallel's: 1 to 100 for so many failed jobs, 101 for more, 255 "
    "for other errors.";

static const char environment[] =
    "PLAIT_JOBS\tWhat -j says when it is not given.\n"
    "PLAIT_SHELL\tThe shell of snippets; then comes SHELL, see --shell.\n"
    "TMPDIR\tWhere large output waits in unnamed files; otherwise /tmp.\n"
    "NO_COLOR, TERM\tNo colours when NO_COLOR is set or TERM is dumb.\n"
    "COLUMNS\tThe width of help, up to 100.\n"
    "PLAIT_JOB_ID\tSet for each job: by it plait finds what the job left behind.";

static const char signals[] =
    "Ctrl-C or SIGTERM starts no more jobs, sends SIGTERM to the running ones with all that they "
    "started, and SIGKILL after --kill-after. A second one kills at once. Ctrl-Z stops the jobs, "
    "too, and they go on with plait.";

static const struct cmd_section sections[] = {
    { "REPLACEMENT STRINGS", replacement_strings },
    { "FUNCTIONS", functions },
    { "EXIT STATUS", exit_status },
    { "ENVIRONMENT", environment },
    { "SIGNALS", signals },
    { NULL, NULL },
};

static const char remote[] =
    "jobs run on this machine; ssh is a command as any other: plait map ssh {} uptime ::: a b";
static const char no_notice[] = "there is no notice to silence";
static const char use_x[] = "-X fills the command line";
static const char no_pipe[] = "an input is a line or a file here, not a block of a stream";
static const char shuffle_first[] = "shuffle before: shuf FILE | plait map ...";

static const struct cmd_foreign foreign[] = {
    { "--pipe", no_pipe },
    { "--pipe-part", no_pipe },
    { "--pipepart", no_pipe },
    { "--spreadstdin", no_pipe },
    { "-S", remote },
    { "--sshlogin", remote },
    { "--sshloginfile", remote },
    { "--slf", remote },
    { "--trc", remote },
    { "--onall", remote },
    { "--nonall", remote },
    { "--citation", no_notice },
    { "--bibtex", no_notice },
    { "--will-cite", no_notice },
    { "--no-notice", no_notice },
    { "--shuf", shuffle_first },
    { "-m", use_x },
    { "--xargs", use_x },
    { "-L", "-n gives each job several lines" },
    { "--max-lines", "-n gives each job several lines" },
    { "-i", "-I TEXT names another string than {}" },
    { "-v", "-t prints each command before it runs" },
    { "-p", "--dry-run shows the commands without running them" },
    { "--interactive", "--dry-run shows the commands without running them" },
    { "--link", "write :::+ or ::::+ between sources that go in step" },
    { "--xapply", "write :::+ or ::::+ between sources that go in step" },
    { "--files", "--results DIR keeps the output in files" },
    { "--env", "jobs have plait's environment, and functions exported by bash work in snippets" },
    { "--tmpdir", "set TMPDIR" },
    { "--sql-master", "--joblog and --log-json keep the records" },
    { "--sqlmaster", "--joblog and --log-json keep the records" },
    { "--sqlworker", "--joblog and --log-json keep the records" },
    { "--sqlandworker", "--joblog and --log-json keep the records" },
    { NULL, NULL },
};

const struct cmd_page cmd_page_map = {
    .name = "map",
    .summary = "run a command over many inputs, several at once",
    .usage = "[OPTION]... COMMAND [ARG]... [::: VALUE... | :::: FILE...]\n"
             "[OPTION]... ::: COMMAND...\n"
             "[OPTION]... --retry-failed --joblog FILE",
    .about = about,
    .examples = examples,
    .options = map_option_table,
    .sections = sections,
    .foreign = foreign,
    .has_man_page = true,
    .takes_command = true,
    .run = cmd_map,
};
