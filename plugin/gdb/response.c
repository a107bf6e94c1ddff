/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "plugin/gdb/response.h"

#include <stdbool.h>
#include <string.h>

#include "plugin/protocol.h"

/** gdb reads a line into one buffer: a line of many megabytes is slow. */
enum {
  ECHO_LIMIT = 1000
};

static bool is_control(unsigned char byte) {
  return byte < 0x20 || byte == 0x7f;
}

static bool continues_character(char byte) {
  return ((unsigned char)byte & 0xc0) == 0x80;
}

static void put_echoed(FILE *out, char byte, bool outermost) {
  switch (byte) {
  case '\n':
    fputs("\\n", out);
    return;
  case '\t':
    fputs("\\t", out);
    return;
  case '\\':
    fputs("\\\\", out);
    return;
  case ' ':
    /* gdb drops the blanks around the text of a command. */
    fputs(outermost ? "\\040" : " ", out);
    return;
  default:
    if (is_control((unsigned char)byte))
      fprintf(out, "\\\\x%02x", (unsigned char)byte);
    else
      putc(byte, out);
  }
}

/** How much of TEXT one echo takes: lines with their ends, as each command costs
 * gdb as much as many characters, or a part of a line. */
static size_t echo_length(const char *text, size_t length) {
  size_t limit = length < ECHO_LIMIT ? length : ECHO_LIMIT;
  const char *newline = memrchr(text, '\n', limit);

  if (newline)
    return (size_t)(newline - text) + 1;
  while (limit < length && continues_character(text[limit]))
    limit++;
  return limit;
}

void response_echo(FILE *out, const char *text, size_t length) {
  while (length > 0) {
    size_t piece = echo_length(text, length);

    fputs("echo ", out);
    for (size_t i = 0; i < piece; i++)
      put_echoed(out, text[i], i == 0 || i + 1 == piece);
    putc('\n', out);
    text += piece;
    length -= piece;
  }
}

void response_canceled(FILE *output, const char *reason) {
  char line[256];
  int length = snprintf(line, sizeof line, "muppy: %.200s\n", reason);

  response_echo(output, line, (size_t)length);
}

void response_status(FILE *response, int status) {
  fprintf(response, "set $muppy_status = %d\n", status);
}

/** "tui enable" sets the height of the pager, which may have been off; and where
 * the terminal was resized meanwhile, it makes the lines of the old height
 * scroll alone, so that others got lost: all do again (DECSTBM, with the cursor
 * saved, for it goes home). */
void response_redraw(FILE *output) {
  fputs("with language c -- set $_muppy_height = $_gdb_setting(\"height\")\n"
        "tui disable\n"
        "tui enable\n"
        "with language c -- eval \"set height %d\", $_muppy_height\n"
        "frame apply 1 -q -s -- with language c -- "
        "dump binary value /dev/tty \"\\0337\\033[r\\0338\"\n",
        output);
}

/** Up to 17, gdb takes a backslash from any character of an argument and
 * nothing else from that one. */
static void put_argument(FILE *out, const char *text) {
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;

    if (is_control(byte)) {
      fprintf(out, "\\\\x%02x", byte);
      continue;
    }
    if (byte < 0x80)
      putc('\\', out);
    putc(byte, out);
  }
}

/** gdb 18 shows all behind the arguments that it knows as it is; but there must
 * be no $arg0, which a user command replaces. */
static void put_rest(FILE *out, const char *text) {
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;

    if (is_control(byte))
      fprintf(out, "\\x%02x", byte);
    else
      putc(byte, out);
    if (byte == '$' && strncmp(text + 1, "arg", 3) == 0)
      putc('\\', out);
  }
}

/** Inside an "if", gdb does not ask whether to redefine a command. */
static void begin_definition(FILE *response, const char *command) {
  fprintf(response, "if 1\ndefine %s\n", command);
}

static void end_definition(FILE *response) {
  fputs("\nend\nend\n", response);
}

void response_failure(FILE *response, int status, const char *reason) {
  response_status(response, status);
  /* The error is raised by who sources this: from here, gdb would print a
   * file's name and line with it. */
  begin_definition(response, "_muppy_fail");
  fputs("if $_muppy_raw\nskip -fi muppy muppy: ", response);
  put_rest(response, reason);
  fputs("\nelse\nskip -fi muppy ", response);
  put_argument(response, "muppy: ");
  put_argument(response, reason);
  fputs("\nend", response);
  end_definition(response);
}

void response_evaluate(FILE *response, const char *expression) {
  fputs("set $_muppy_again = 1\n", response);
  begin_definition(response, "_muppy_evaluate");
  fprintf(response, "dump binary value /proc/self/fd/%d ", GDB_FD_VALUE);
  for (; *expression; expression++)
    putc(is_control((unsigned char)*expression) ? ' ' : *expression, response);
  end_definition(response);
}

static void ask_for(FILE *response, const char *part) {
  fputs("set $_muppy_again = 1\n", response);
  begin_definition(response, "_muppy_evaluate");
  fputs(part, response);
  end_definition(response);
}

void response_regions(FILE *response) {
  ask_for(response, "_muppy_regions");
}

void response_files(FILE *response) {
  ask_for(response, "_muppy_debuggee");
}
