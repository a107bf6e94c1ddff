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

static void put_echoed(FILE *script, char byte, bool first) {
  switch (byte) {
  case '\n':
    fputs("\\n", script);
    return;
  case '\t':
    fputs("\\t", script);
    return;
  case '\\':
    fputs("\\\\", script);
    return;
  case ' ':
    /* echo drops the blanks in front of its text. */
    fputs(first ? "\\ " : " ", script);
    return;
  default:
    if (is_control((unsigned char)byte))
      fprintf(script, "\\\\x%02x", (unsigned char)byte);
    else
      putc(byte, script);
  }
}

void response_echo(FILE *script, const char *text, size_t length) {
  size_t start = 0;

  for (size_t i = 0; i < length; i++) {
    bool first = i == start;

    if (first)
      fputs("echo ", script);
    put_echoed(script, text[i], first);
    bool full = i - start >= ECHO_LIMIT &&
                (i + 1 == length || !continues_character(text[i + 1]));
    if (text[i] != '\n' && !full && i + 1 < length)
      continue;
    putc('\n', script);
    start = i + 1;
  }
}

void response_status(FILE *script, int status) {
  fprintf(script, "set $muppy_status = %d\n", status);
}

/** gdb takes a backslash from any character and nothing else from that one;
 * so does the search for $arg0 in a user command, which then finds none. */
static void put_argument(FILE *script, const char *text) {
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;

    if (is_control(byte)) {
      fprintf(script, "\\\\x%02x", byte);
      continue;
    }
    if (byte < 0x80)
      putc('\\', script);
    putc(byte, script);
  }
}

void response_failure(FILE *script, int status, const char *reason) {
  response_status(script, status);
  /* Inside an "if", gdb does not ask whether to redefine the command.  The
   * error is raised by the caller of the script: from here, gdb would print
   * the script's name and line with it. */
  fputs("if 1\ndefine _muppy_fail\nskip -fi muppy ", script);
  put_argument(script, "muppy: ");
  put_argument(script, reason);
  fputs("\nend\nend\n", script);
}

void response_canceled(FILE *script, int status, const char *reason) {
  /* gdb says "Quit" after it, as for any command that Ctrl-C ended. */
  response_echo(script, "muppy: ", 7);
  response_echo(script, reason, strlen(reason));
  response_echo(script, "\n", 1);
  response_status(script, status);
}

void response_evaluate(FILE *script, const char *expression) {
  fprintf(script,
          "set $_muppy_again = 1\n"
          "if 1\n"
          "define _muppy_evaluate\n"
          "append binary value /proc/self/fd/%d \"%c\"\n"
          "append binary value /proc/self/fd/%d (unsigned long long) (",
          GDB_FD_REQUEST, ITEM_VALUE, GDB_FD_REQUEST);
  for (; *expression; expression++)
    putc(is_control((unsigned char)*expression) ? ' ' : *expression, script);
  fputs(")\nend\nend\n", script);
}
