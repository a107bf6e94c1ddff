/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * How a command travels is told in protocol.h; why the script is as it is:
 *
 * - Expressions mean something in a language: in Pascal "=" compares.  So
 *   nearly all runs "with language"; what does not is understood everywhere.
 * - An argument is text of the user's, with quotes as he typed them.  The
 *   language D has strings that may hold both kinds of quotes, `so "to" say`.
 * - "define" asks before it redefines a command, unless it stands in an "if".
 * - gdb has no command that fails with a text of one's own.  "skip" calls an
 *   argument that it does not expect invalid and shows it, and does no more.
 * - "frame apply" brings back the frame, thread and language that the user
 *   had selected, also after errors.
 * - "pipe" leaves two convenience variables behind, which are put back.
 */
#include "config.h"

#include "plugin/gdb_script.h"

#include <string.h>

#include "plugin/command.h"
#include "plugin/commands/commands.h"
#include "plugin/protocol.h"

static const char prologue[] =
    "# gdb-muppy: the Python heap of a core file or a live process.\n"
    "# Written by \"muppy --gdb-script\".  Load it with \"gdb -x FILE\", with\n"
    "# the command \"source FILE\", or from ~/.gdbinit.\n"
    "\n"
    "define-prefix muppy\n"
    "document muppy\n"
    "Look into the heap of the Python program that is being debugged.\n"
    "Works on core files and live processes; nothing runs in the program.\n"
    "An ADDRESS is a number or any C expression, such as $rdi or a variable.\n"
    "After a command, $muppy_status is 0 when it succeeded.\n"
    "end\n"
    "\n"
    "with language c -- init-if-undefined $_muppy_loaded = 0\n"
    "with language c -- init-if-undefined $_muppy_request = 0\n"
    "with language c -- set $muppy_status = 0\n"
    "\n"
    "if 1\n";

/** "_muppy_begin COMMAND" makes muppy.so ready and begins the request. */
static void write_begin(FILE *out, const char *reader, const char *program) {
  fprintf(out,
          "define _muppy_begin\n"
          "  if $_thread == 0\n"
          "    skip -fi muppy 'muppy: there is no program to look at; use the "
          "commands core-file, attach or run first'\n"
          "  end\n"
          "  if $_muppy_loaded\n"
          "    set $_muppy_loaded = 0\n"
          "    source /proc/self/fd/%d\n"
          "  end\n"
          "  if $_muppy_loaded == 0\n"
          "    frame apply 1 -q jit-reader-load %s\n"
          "    set $_muppy_loaded = 1\n"
          "  end\n",
          GDB_FD_ALIVE, reader);
  fprintf(out, "  dump binary value /proc/self/fd/%d \"%c", GDB_FD_REQUEST,
          ITEM_TEXT);
  for (; *program; program++)
    fprintf(out, strchr("\\\"", *program) ? "\\%c" : "%c", *program);
  fprintf(out,
          "\"\n"
          "  append binary value /proc/self/fd/%d \"%c\"\n"
          "  append binary value /proc/self/fd/%d $_gdb_setting(\"width\")\n"
          "  append binary value /proc/self/fd/%d \"%c$arg0\"\n"
          "end\n",
          GDB_FD_REQUEST, ITEM_WIDTH, GDB_FD_REQUEST, GDB_FD_REQUEST,
          ITEM_TEXT);
}

/** "_muppy_trigger LETTER" makes gdb call muppy.so. */
static void write_trigger(FILE *out) {
  fprintf(out,
          "define _muppy_trigger\n"
          "  set $_muppy_request = $_muppy_request + 1\n"
          "  dump binary value /proc/self/fd/%d '$arg0'\n"
          "  select-frame view $_muppy_request 0\n"
          "end\n",
          GDB_FD_TRIGGER);
}

/** What a response may define anew. */
static void write_responses(FILE *out) {
  fputs("define _muppy_fail\n"
        "  skip -fi muppy 'muppy: there is no answer'\n"
        "end\n"
        "define _muppy_evaluate\n"
        "  _muppy_fail\n"
        "end\n",
        out);
}

/** "_muppy_run" sends the request and does what the response says. */
static void write_run(FILE *out) {
  fprintf(out,
          "define _muppy_run\n"
          "  set $_muppy_code = $_shell_exitcode\n"
          "  set $_muppy_signal = $_shell_exitsignal\n"
          "  pipe info files | cat > /proc/$PPID/fd/%d\n"
          "  set $_shell_exitcode = $_muppy_code\n"
          "  set $_shell_exitsignal = $_muppy_signal\n"
          "  set $_muppy_again = 1\n"
          "  while $_muppy_again\n"
          "    set $_muppy_again = 0\n"
          "    set $muppy_status = %d\n"
          "    frame apply 1 -q _muppy_trigger %c\n"
          "    source /proc/self/fd/%d\n"
          "    if $_muppy_again\n"
          "      _muppy_evaluate\n"
          "    end\n"
          "  end\n"
          "  if $muppy_status == %d\n"
          "    frame apply 1 -q _muppy_trigger %c\n"
          "  end\n"
          "  if $muppy_status\n"
          "    _muppy_fail\n"
          "  end\n"
          "end\n"
          "end\n\n",
          GDB_FD_FILES, COMMAND_FAILED, TRIGGER_RUN, GDB_FD_RESPONSE,
          COMMAND_CANCELED, TRIGGER_QUIT);
}

static void write_internal_help(FILE *out) {
  static const char *const names[] = {
      "_muppy_begin", "_muppy_trigger",  "_muppy_run",
      "_muppy_fail",  "_muppy_evaluate",
  };

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    fprintf(out,
            "document %s\n"
            "A part of the muppy commands, of no use by itself.\n"
            "end\n",
            names[i]);
}

/** $argc and $arg0 are known in the command that the user typed only, so each
 * sends its arguments itself. */
static void write_command(FILE *out, const struct command *command) {
  fprintf(out,
          "\nif 1\n"
          "define muppy %s\n"
          "  with language c -- _muppy_begin %s\n"
          "  with language c -- set $_muppy_i = 0\n"
          "  while $_muppy_i < $argc\n"
          "    with language d -- eval \"append binary value "
          "/proc/self/fd/%d `%c$arg%%d`\", $_muppy_i\n"
          "    with language c -- set $_muppy_i = $_muppy_i + 1\n"
          "  end\n"
          "  with language c -- _muppy_run\n"
          "end\n"
          "end\n"
          "document muppy %s\n",
          command->name, command->name, GDB_FD_REQUEST, ITEM_TEXT,
          command->name);
  help_command(out, command, true);
  fputs("end\n", out);
}

int gdb_script_write(FILE *out, const char *reader, const char *program) {
  if (!reader || !program) {
    fputs("muppy: --gdb-script needs --reader=FILE and --program=FILE\n",
          stderr);
    return COMMAND_USAGE;
  }
  fputs(prologue, out);
  write_begin(out, reader, program);
  write_trigger(out);
  write_responses(out);
  write_run(out);
  write_internal_help(out);
  for (const struct command *command = commands; command->name; command++)
    write_command(out, command);
  return COMMAND_OK;
}
