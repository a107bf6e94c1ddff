/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <string.h>

#include "plugin/options.h"
#include "plugin/render/wrap.h"
#include "plugin/session.h"

const struct command_option help_options[] = {{0}};

/** Whether an option is named at AT in TEXT, with the one dash of gdb. */
static bool is_option(const char *text, const char *at) {
  return at[0] == '-' && at[1] >= 'a' && at[1] <= 'z' &&
         (at == text || strchr(" \n(", at[-1]));
}

/** TEXT with INDENT before each of its lines, and DASHES before the options that
 * it names. */
static void print_text(FILE *out, const char *indent, const char *text,
                       const char *dashes) {
  for (const char *at = text; *at; at++) {
    if (*at != '\n' && (at == text || at[-1] == '\n'))
      fputs(indent, out);
    if (is_option(text, at))
      fputs(dashes, out);
    else
      putc(*at, out);
  }
  putc('\n', out);
}

void help_option_list(FILE *out, const struct command_option *options,
                      const char *dashes) {
  /* Two dashes go with "=", one with a blank, as people type them. */
  const char *joint = dashes[1] ? "=" : " ";

  for (; options->name; options++) {
    fprintf(out, "  %s%s%s%s\n", dashes, options->name,
            options->argument ? joint : "",
            options->argument ? options->argument : "");
    print_text(out, "        ", options->help, dashes);
  }
}

/** Those that stand behind a prefix. */
static void help_subcommands(FILE *out, const struct command *command) {
  fprintf(out, "Usage: muppy %s COMMAND [OPTION]...\n\nCommands:\n",
          command->name);
  for (const struct command *row = command->subcommands; row->name; row++)
    fprintf(out, "  %s %-6s  %s\n", row->prefix, row->name, row->brief);
  fprintf(out, "\n%s\n", command->help);
}

void help_command(FILE *out, const struct command *command, bool gdb) {
  const char *dashes = gdb ? "-" : "--";

  fprintf(out, "%s\n", command->brief);
  if (command->subcommands) {
    help_subcommands(out, command);
    return;
  }
  fprintf(out, "Usage: muppy %s%s%s%s%s%s\n",
          command->prefix ? command->prefix : "", command->prefix ? " " : "",
          command->name, command->options->name ? " [OPTION]..." : "",
          *command->operands ? " " : "", command->operands);
  if (command->options->name) {
    fputs("\nOptions:\n", out);
    help_option_list(out, command->options, dashes);
    fputs("Options may be abbreviated, with one dash or two.\n", out);
  }
  putc('\n', out);
  print_text(out, "", command->help, dashes);
}

void help_list(FILE *out, int width) {
  const size_t indent = 2 + 10 + 1 + 11 + 2;

  for (const struct command *command = commands; command->name; command++) {
    fprintf(out, "  %-10s %-11s  ", command->name,
            command->subcommands ? "COMMAND" : command->operands);
    print_wrapped(out, width, indent, command->brief);
  }
}

enum command_status help_run(struct session *session, int argc, char **argv) {
  int operands;
  enum command_status status =
      options_parse(session, help_options, argc, argv, NULL, &operands);

  if (status != COMMAND_OK)
    return status;
  if (operands == 0) {
    fputs("Commands:\n", session->out);
    help_list(session->out, session->width);
    fputs("\nmuppy help COMMAND tells more about one of them.\n", session->out);
    return COMMAND_OK;
  }
  for (int i = 1, used; i <= operands; i += used) {
    const struct command *command =
        command_find(session, operands - i + 1, argv + i, &used);
    if (!command)
      return COMMAND_USAGE;
    help_command(session->out, command, session->gdb);
  }
  return COMMAND_OK;
}
