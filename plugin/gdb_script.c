/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * How a command travels is told in protocol.h; why the script is as it is:
 *
 * - An expression means something in a language: in Pascal "=" compares, and
 *   Fortran had no "<" before gdb 11.  What the commands that the user types
 *   hold themselves are variables and nothing else, which are true unless 0.
 *   All else is in D, whose strings may hold both kinds of quotes, as the
 *   user's arguments do: `so "to" say`.
 * - "frame apply" brings back the thread and the frame that the user had
 *   selected, "with" the language; also after errors and Ctrl-C.
 * - "frame apply -s" hides errors, and with them what was printed before: gdb's
 *   warning that D is not the language of the frame, and what it tells about
 *   the frame that does not exist.  So whatever runs there ends in an error.
 * - muppy.so is called about that frame by "info frame view", for MI and the
 *   text user interface take notice of "select-frame view".
 * - $argc and $arg0 are known in the command that the user typed only.
 * - "define" asks before it redefines a command, unless it stands in an "if".
 * - gdb has no command that fails with a text of one's own.  "skip" calls an
 *   argument that it does not expect invalid and shows it, and does no more;
 *   from gdb 18 on it shows backslashes and quotes too.
 * - "while" looks whether Ctrl-C was pressed; a command that was interrupted
 *   ends with gdb's own "Quit".
 * - "pipe" leaves two convenience variables behind, which are put back.
 * - Inside "frame apply" gdb's width is unlimited.  So it is asked for outside,
 *   in the user's language, where the word "width" must not be quoted: a
 *   convenience variable holds it.
 * - "pipe" starts a shell, which takes longer than all the rest.  What is
 *   debugged is told in short by way of gdb's log, which "with" ends again
 *   whatever happens; "info files" is piped when the helper asks for it.
 *   Before gdb 12 there is no setting for the log, and while the user has one
 *   there is none for us.  To MI gdb tells of each command that the settings
 *   "logging file" and "logging enabled" changed, and changed back; it holds
 *   that back for -gdb-set only, and a script cannot know whether there is MI.
 * - muppy.so is loaded when it is needed first: a gdb that never is asked for
 *   Python objects pays nothing and can use another JIT reader.
 */
#include "config.h"

#include "plugin/gdb_script.h"

#include <string.h>

#include "plugin/command.h"
#include "plugin/commands/commands.h"
#include "plugin/protocol.h"

/** Runs a command of ours in D, unseen; it must end in HUSH. */
#define ASIDE "frame apply 1 -q -s -- with language d -- "
#define HUSH "  skip -fi muppy done\n"

static const char prologue[] =
    "# gdb-muppy: the Python heap of a core file or a live process.\n"
    "# Written by \"muppy --gdb-script\".  Load it with \"gdb -x FILE\", with\n"
    "# the command \"source FILE\", or from ~/.gdbinit.\n"
    "\n"
    "define-prefix muppy\n"
    "document muppy\n"
    "Look into the heap of the Python program that is being debugged.\n"
    "Works on core files and live processes; nothing runs in the program.\n"
    "An ADDRESS is a number or any expression, such as $rdi or a variable.\n"
    "After a command, $muppy_status is 0 when it succeeded.\n"
    "end\n"
    "\n";

static void begin_definition(FILE *out, const char *name) {
  fprintf(out, "if 1\ndefine %s\n", name);
}

/** The parts are of no interest to users, but "help user-defined" lists them. */
static void end_definition(FILE *out, const char *name) {
  fprintf(out,
          "end\n"
          "end\n"
          "document %s\n"
          "A part of the muppy commands, of no use by itself.\n"
          "end\n\n",
          name);
}

/** What a response defines anew. */
static void write_no_answer(FILE *out) {
  fputs("if 1\n"
        "define _muppy_fail\n"
        "  skip -fi muppy 'muppy: there is no answer'\n"
        "end\n"
        "define _muppy_evaluate\n"
        "  _muppy_fail\n"
        "end\n"
        "end\n",
        out);
}

/** Makes sure that muppy.so is loaded; the user may have unloaded it. */
static void write_load(FILE *out, const char *reader) {
  begin_definition(out, "_muppy_probe");
  fprintf(out,
          "  init-if-undefined $_muppy_request = 1\n"
          "  init-if-undefined $_muppy_loaded = 0\n"
          "  set $_muppy_left = 0\n"
          "  set $_muppy_lost = 1\n"
          "  set $_muppy_sent = 0 - 1\n"
          "  if $_muppy_loaded\n"
          "    set $_muppy_loaded = 0\n"
          "    source /proc/self/fd/%d\n"
          "  end\n" HUSH,
          GDB_FD_ALIVE);
  end_definition(out, "_muppy_probe");

  begin_definition(out, "_muppy_load");
  fprintf(out,
          "  if $_thread\n"
          "  else\n"
          "    with language d -- set $muppy_status = %d\n"
          "    skip -fi muppy 'muppy: there is no program to look at; use the "
          "commands core-file, attach or run first'\n"
          "  end\n"
          "  " ASIDE "_muppy_probe\n"
          "  if $_muppy_loaded\n"
          "  else\n"
          "    frame apply 1 -q -- jit-reader-load %s\n"
          "  end\n",
          COMMAND_TARGET, reader);
  end_definition(out, "_muppy_load");
}

/** Collects the request: "_muppy_begin COMMAND COUNT", for a command behind a
 * prefix "_muppy_behind SUBCOMMAND", then COUNT times "_muppy_add ARGUMENT",
 * then "_muppy_end COUNT".  Errors are hidden there;
 * $_muppy_lost then is not 0. */
static void write_collect(FILE *out, const char *program) {
  begin_definition(out, "_muppy_begin");
  fputs("  set $_muppy_loaded = 1\n"
        "  set $_muppy_i = 0\n"
        "  set $_muppy_raw = $_gdb_major / 18\n"
        "  set $_muppy_logs = $_gdb_major / 12\n"
        "  set $_muppy_left = $arg1\n"
        "  set $muppy_status = 1\n",
        out);
  write_no_answer(out);
  fprintf(out, "  dump binary value /proc/self/fd/%d `%c", GDB_FD_REQUEST,
          ITEM_TEXT);
  for (; *program; program++)
    fprintf(out, strchr("\\`", *program) ? "\\%c" : "%c", *program);
  fprintf(out,
          "`\n"
          "  append binary value /proc/self/fd/%d `%c$arg0`\n"
          "  set $_muppy_setting = `width`\n"
          "  set $_muppy_sent = 0\n" HUSH,
          GDB_FD_REQUEST, ITEM_TEXT);
  end_definition(out, "_muppy_begin");

  begin_definition(out, "_muppy_behind");
  fprintf(out, "  append binary value /proc/self/fd/%d `%c$arg0`\n" HUSH,
          GDB_FD_REQUEST, ITEM_TEXT);
  end_definition(out, "_muppy_behind");

  begin_definition(out, "_muppy_add");
  fprintf(out,
          "  set $_muppy_i = $_muppy_i + 1\n"
          "  set $_muppy_left = $_muppy_left - 1\n"
          "  append binary value /proc/self/fd/%d `%c$arg0`\n"
          "  set $_muppy_sent = $_muppy_sent + 1\n" HUSH,
          GDB_FD_REQUEST, ITEM_TEXT);
  end_definition(out, "_muppy_add");

  /* The width itself follows.  Where gdb cannot do the last of this, muppy.so
   * finds nothing. */
  begin_definition(out, "_muppy_end");
  fprintf(out,
          "  set $_muppy_lost = $arg0 - $_muppy_sent\n"
          "  append binary value /proc/self/fd/%d `%c`\n"
          "  with logging file /proc/self/fd/%d -- "
          "with logging enabled on -- _muppy_brief\n" HUSH,
          GDB_FD_REQUEST, ITEM_WIDTH, GDB_FD_BRIEF);
  end_definition(out, "_muppy_end");
}

/** Defines NAME to write what COMMAND answers to a file of muppy.so's. */
static void write_pipe(FILE *out, const char *name, const char *command,
                       const char *redirection, int fd) {
  begin_definition(out, name);
  fprintf(out,
          "  set $_muppy_code = $_shell_exitcode\n"
          "  set $_muppy_signal = $_shell_exitsignal\n"
          "  pipe %s | cat %s /proc/$PPID/fd/%d\n"
          "  set $_shell_exitcode = $_muppy_code\n"
          "  set $_shell_exitsignal = $_muppy_signal\n" HUSH,
          command, redirection, fd);
  end_definition(out, name);
}

/** Tells what is debugged, then makes gdb call muppy.so with a letter. */
static void write_send(FILE *out) {
  write_pipe(out, "_muppy_files", "info files", ">", GDB_FD_FILES);
  begin_definition(out, "_muppy_debuggee");
  fputs("  " ASIDE "_muppy_files\n", out);
  end_definition(out, "_muppy_debuggee");

  /* All that "info files" may say of inferiors, processes, programs, the core
   * and where the .text of each file is. */
  begin_definition(out, "_muppy_brief");
  fputs("  info inferiors\n"
        "  maint info sections -all-objects .text\n"
        "  echo muppy\\n\n" HUSH,
        out);
  end_definition(out, "_muppy_brief");

  write_pipe(out, "_muppy_sections", "maint info sections", ">>",
             GDB_FD_REGIONS);
  write_pipe(out, "_muppy_mappings", "info proc mappings", ">>",
             GDB_FD_REGIONS);
  write_pipe(out, "_muppy_auxv", "info auxv", ">>", GDB_FD_REGIONS);
  write_pipe(out, "_muppy_registers",
             "thread apply all -ascending -s -- info registers", ">>",
             GDB_FD_REGIONS);
  write_pipe(out, "_muppy_fs_base",
             "thread apply all -ascending -s -- info registers fs_base", ">>",
             GDB_FD_REGIONS);
  /* The helper has emptied the file. */
  begin_definition(out, "_muppy_regions");
  fputs("  " ASIDE "_muppy_sections\n"
        "  " ASIDE "_muppy_mappings\n"
        "  " ASIDE "_muppy_auxv\n"
        "  " ASIDE "_muppy_registers\n"
        "  " ASIDE "_muppy_fs_base\n",
        out);
  end_definition(out, "_muppy_regions");

  /* No frame twice: gdb would remember it and not ask about it again. */
  begin_definition(out, "_muppy_call");
  fprintf(out,
          "  set $_muppy_request = $_muppy_request + 1\n"
          "  dump binary value /proc/self/fd/%d '$arg0'\n"
          "  info frame view $_muppy_request 0\n" HUSH,
          GDB_FD_TRIGGER);
  end_definition(out, "_muppy_call");

  begin_definition(out, "_muppy_receive");
  fprintf(out,
          "  set $_muppy_again = 0\n"
          "  set $muppy_status = %d\n"
          "  set $_muppy_canceled = 0\n"
          "  source /proc/self/fd/%d\n"
          "  set $_muppy_canceled = $muppy_status / %d\n" HUSH,
          COMMAND_FAILED, GDB_FD_RESPONSE, COMMAND_CANCELED);
  end_definition(out, "_muppy_receive");
}

/** Has the request run, prints the output and fails when it failed. */
static void write_run(FILE *out) {
  begin_definition(out, "_muppy_run");
  fprintf(out,
          "  " ASIDE "_muppy_end $arg0\n"
          "  if $_muppy_lost\n"
          "    skip -fi muppy 'muppy: gdb cannot pass these arguments on'\n"
          "  end\n"
          "  append binary value /proc/self/fd/%d "
          "$_gdb_setting($_muppy_setting)\n"
          "  if $_muppy_logs\n"
          "    " ASIDE "_muppy_call %c\n"
          "  else\n"
          "    " ASIDE "_muppy_files\n"
          "    " ASIDE "_muppy_call %c\n"
          "  end\n"
          "  " ASIDE "_muppy_receive\n"
          "  while $_muppy_again\n"
          "    _muppy_evaluate\n"
          "    " ASIDE "_muppy_call %c\n"
          "    " ASIDE "_muppy_receive\n"
          "  end\n"
          "  source /proc/self/fd/%d\n"
          "  if $_muppy_canceled\n"
          "    " ASIDE "_muppy_call %c\n"
          "    while $muppy_status\n"
          "      _muppy_fail\n"
          "    end\n"
          "  end\n"
          "  if $muppy_status\n"
          "    _muppy_fail\n"
          "  end\n",
          GDB_FD_REQUEST, TRIGGER_RUN, TRIGGER_TOLD, TRIGGER_AGAIN,
          GDB_FD_OUTPUT, TRIGGER_QUIT);
  end_definition(out, "_muppy_run");
}

/** A command, or one that stands behind a prefix. */
static void write_command(FILE *out, const struct command *command) {
  const char *prefix = command->prefix;

  fprintf(out,
          "if 1\n"
          "define muppy %s%s%s\n"
          "  _muppy_load\n"
          "  " ASIDE "_muppy_begin %s $argc\n",
          prefix ? prefix : "", prefix ? " " : "", command->name,
          prefix ? prefix : command->name);
  if (prefix)
    fprintf(out, "  " ASIDE "_muppy_behind %s\n", command->name);
  fprintf(out,
          "  while $_muppy_left\n"
          "    eval \"" ASIDE "_muppy_add $arg%%d\", $_muppy_i\n"
          "  end\n"
          "  _muppy_run $argc\n"
          "end\n"
          "end\n"
          "document muppy %s%s%s\n",
          prefix ? prefix : "", prefix ? " " : "", command->name);
  help_command(out, command, true);
  fputs("end\n\n", out);
}

/** gdb itself lists what stands behind a prefix, with a line each. */
static void write_prefix(FILE *out, const struct command *command) {
  fprintf(out,
          "define-prefix muppy %s\n"
          "document muppy %s\n"
          "%s\n"
          "Usage: muppy %s COMMAND [OPTION]...\n"
          "\n%s\n"
          "end\n\n",
          command->name, command->name, command->brief, command->name,
          command->help);
  for (const struct command *row = command->subcommands; row->name; row++)
    write_command(out, row);
}

int gdb_script_write(FILE *out, const char *reader, const char *program) {
  if (!reader || !program) {
    fputs("muppy: --gdb-script needs --reader=FILE and --program=FILE\n",
          stderr);
    return COMMAND_USAGE;
  }
  fputs(prologue, out);
  write_load(out, reader);
  write_collect(out, program);
  write_no_answer(out);
  write_send(out);
  write_run(out);
  for (const struct command *command = commands; command->name; command++)
    if (command->subcommands)
      write_prefix(out, command);
    else
      write_command(out, command);
  return COMMAND_OK;
}
