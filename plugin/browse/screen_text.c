/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "screen_text.h"

#include <stdlib.h>
#include <string.h>

/** Appends LENGTH bytes of escaped text in ASCII. */
static void append_ascii(struct buffer *to, const char *text, size_t length) {
  for (size_t at = 0; at < length;) {
    size_t step;
    int32_t code = utf8_decode(text + at, length - at, &step);
    if (code >= 0 && code < 0x80)
      buffer_append(to, text + at, 1);
    else if (step == strlen(ELLIPSIS) && !memcmp(text + at, ELLIPSIS, step))
      buffer_add(to, "~");
    else if (code > 0xffff)
      buffer_format(to, "\\U%08x", (unsigned)code);
    else if (code > 0xff)
      buffer_format(to, "\\u%04x", (unsigned)code);
    else
      buffer_format(to, "\\x%02x",
                    code < 0 ? (unsigned char)text[at] : (unsigned)code);
    at += step;
  }
}

void screen_text_fit(struct buffer *to, const char *text, struct span kept,
                     size_t columns, bool unicode) {
  if (unicode) {
    cut_append_around(to, text, columns, kept);
    return;
  }
  cleanup_buffer struct buffer ascii = {0}, cut = {0};
  append_ascii(&ascii, text, kept.start);
  struct span moved = {ascii.length, 0};
  append_ascii(&ascii, text + kept.start, kept.end - kept.start);
  moved.end = ascii.length;
  append_ascii(&ascii, text + kept.end, strlen(text + kept.end));
  cut_append_around(&cut, buffer_string(&ascii), columns, moved);
  append_ascii(to, buffer_string(&cut), cut.length);
}

void screen_text_drop_last(struct buffer *text) {
  size_t length = text->length;

  while (length && ((unsigned char)text->bytes[length - 1] & 0xc0) == 0x80)
    length--;
  buffer_truncate(text, length ? length - 1 : 0);
}

void screen_text_add_code(struct buffer *text, int32_t code) {
  char bytes[4];
  size_t length = 0;

  if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code > 0x10ffff ||
      (code >= 0xd800 && code <= 0xdfff))
    return;
  if (code < 0x80) {
    bytes[length++] = (char)code;
  } else {
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
    bytes[length++] = (char)(leads[more] | code >> (6 * more));
    while (more--)
      bytes[length++] = (char)(0x80 | (code >> (6 * more) & 0x3f));
  }
  buffer_append(text, bytes, length);
}

/* Lines ------------------------------------------------------------------- */

static void add_line(struct screen_lines *lines, char *line) {
  if (lines->count == lines->capacity) {
    lines->capacity = lines->capacity ? lines->capacity * 2 : 32;
    lines->items =
        must_realloc(lines->items, lines->capacity * sizeof *lines->items);
  }
  lines->items[lines->count++] = line;
}

void screen_lines_init(struct screen_lines *lines, char *bytes) {
  *lines = (struct screen_lines){.bytes = bytes};
  for (char *at = bytes; at && *at;) {
    char *end = strchr(at, '\n');
    add_line(lines, at);
    if (!end)
      return;
    *end = '\0';
    at = end + 1;
  }
}

void screen_lines_wrap(struct screen_lines *lines, const char *text,
                       size_t columns, bool unicode) {
  cleanup_buffer struct buffer whole = {0}, line = {0};
  size_t used = 0;

  *lines = (struct screen_lines){0};
  if (unicode)
    buffer_add(&whole, text);
  else
    append_ascii(&whole, text, strlen(text));
  for (size_t at = 0; at < whole.length;) {
    char character[8] = "";
    size_t step;
    utf8_decode(whole.bytes + at, whole.length - at, &step);
    memcpy(character, whole.bytes + at, step);
    size_t width = display_width(character);
    if (used && used + width > columns) {
      add_line(lines, buffer_take(&line));
      used = 0;
    }
    buffer_append(&line, character, step);
    used += width;
    at += step;
  }
  add_line(lines, buffer_take(&line));
}

void screen_lines_deinit(struct screen_lines *lines) {
  if (!lines->bytes)
    for (size_t i = 0; i < lines->count; i++)
      free(lines->items[i]);
  free(lines->bytes);
  free(lines->items);
  *lines = (struct screen_lines){0};
}
