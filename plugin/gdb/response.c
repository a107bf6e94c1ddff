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

static void put_echoed(FILE *out, char byte, bool first) {
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
    /* echo drops the blanks in front of its text. */
    fputs(first ? "\\ " : " ", out);
    return;
  default:
    if (is_control((unsigned char)byte))
      fprintf(out, "\\\\x%02x", (unsigned char)byte);
    else
      putc(byte, out);
  }
}

void response_echo(FILE *out, const char *text, size_t length) {
  size_t start = 0;

  for (size_t i = 0; i < length; i++) {
    bool first = i == start;

    if (first)
      fputs("echo ", out);
    put_echoed(out, text[i], first);
    bool full = i - start >= ECHO_LIMIT &&
                (i + 1 == length || !continues_character(text[i + 1]));
    if (text[i] != '\n' && !full && i + 1 < length)
      continue;
    putc('\n', out);
    start = i + 1;
  }
}

void response_canceled(FILE *output, const char *reason) {
  response_echo(output, "muppy: ", 7);
  response_echo(output, reason, strlen(reason));
  response_echo(output, "\n", 1);
}

void response_status(FILE *response, int status) {
  fprintf(response, "set $muppy_status = %d\n", status);
}

/** gdb takes a backslash from any character and nothing else from that one;
 * so does the search for $arg0 in a user command, which then finds none. */
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
  fputs("skip -fi muppy ", response);
  put_argument(response, "muppy: ");
  put_argument(response, reason);
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
