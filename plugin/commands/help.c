/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <string.h>

#include "plugin/options.h"
#include "plugin/session.h"

const struct command_option help_options[] = {{0}};

/** TEXT with INDENT before each of its lines. */
static void print_indented(FILE *out, const char *indent, const char *text) {
  while (*text) {
    size_t line = strcspn(text, "\n");
    fprintf(out, "%s%.*s\n", line ? indent : "", (int)line, text);
    text += line + (text[line] == '\n');
  }
}

void help_option_list(FILE *out, const struct command_option *options,
                      const char *dashes) {
  /* Two dashes go with "=", one with a blank, as people type them. */
  const char *joint = dashes[1] ? "=" : " ";

  for (; options->name; options++) {
    fprintf(out, "  %s%s%s%s\n", dashes, options->name,
            options->argument ? joint : "",
            options->argument ? options->argument : "");
    print_indented(out, "        ", options->help);
  }
}

void help_command(FILE *out, const struct command *command, bool gdb) {
  fprintf(out, "%s\n", command->brief);
  fprintf(out, "Usage: muppy %s%s%s%s\n", command->name,
          command->options->name ? " [OPTION]..." : "",
          *command->operands ? " " : "", command->operands);
  if (command->options->name) {
    fputs("\nOptions:\n", out);
    help_option_list(out, command->options, gdb ? "-" : "--");
    fputs("Options may be abbreviated, with one dash or two.\n", out);
  }
  fprintf(out, "\n%s\n", command->help);
}

void help_list(FILE *out) {
  for (const struct command *command = commands; command->name; command++)
    fprintf(out, "  %-9s %-9s  %s\n", command->name, command->operands,
            command->brief);
}

enum command_status help_run(struct session *session, int argc, char **argv) {
  int operands;
  enum command_status status =
      options_parse(session, help_options, argc, argv, NULL, &operands);

  if (status != COMMAND_OK)
    return status;
  if (operands == 0) {
    fputs("Commands:\n", session->out);
    help_list(session->out);
    fputs("\nmuppy help COMMAND tells more about one of them.\n", session->out);
    return COMMAND_OK;
  }
  for (int i = 1; i <= operands; i++) {
    const struct command *command = command_find(session, argv[i]);
    if (!command)
      return COMMAND_USAGE;
    help_command(session->out, command, session->gdb);
  }
  return COMMAND_OK;
}
