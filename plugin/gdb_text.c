/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * Under MI, gdb 18 writes what is no table as records, and tables as they are:
 *
 *     ~"Mapped address spaces:\n\n"
 *     Start Addr         End Addr           Size               Offset
 */
#include "config.h"

#include "plugin/gdb_text.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/file_text.h"
#include "plugin/protocol.h"

/** The byte of the escape behind the backslash at *AT, which is moved on. */
static char take_escape(const char **at) {
  static const char names[] = "abefnrtv", bytes[] = "\a\b\033\f\n\r\t\v";
  const char *name = **at ? strchr(names, **at) : NULL;
  int value = 0, digits = 0;

  if (name) {
    (*at)++;
    return bytes[name - names];
  }
  for (; digits < 3 && **at >= '0' && **at <= '7'; digits++)
    value = value * 8 + (*(*at)++ - '0');
  if (digits > 0)
    return (char)value;
  return **at ? *(*at)++ : '\0';
}

/** Writes what the record at *AT says to OUT, which it fits into.  Moves *AT
 * behind the record and its newline; returns the end of what was written. */
static char *take_record(const char **at, char *out) {
  *at += strlen("~\"");
  while (**at && **at != '"' && **at != '\n') {
    char byte = *(*at)++;

    *out++ = byte == '\\' ? take_escape(at) : byte;
  }
  *at += strspn(*at, "\"");
  *at += **at == '\n';
  return out;
}

/** In place, as no text gets longer. */
static void decode(char *text) {
  const char *at = text;
  char *out = text;

  while (*at) {
    if (at[0] == '~' && at[1] == '"') {
      out = take_record(&at, out);
      continue;
    }
    size_t length = strcspn(at, "\n");
    length += at[length] == '\n';
    memmove(out, at, length);
    out += length;
    at += length;
  }
  *out = '\0';
}

char *gdb_text(int fd) {
  size_t length;
  char *text = file_text(fd, FILES_LIMIT, &length);

  if (text)
    decode(text);
  return text;
}
