/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "escape.h"

#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>

int32_t utf8_decode(const char *bytes, size_t available, size_t *length) {
  static const int32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const uint8_t *unit = (const uint8_t *)bytes;

  if (!available) {
    *length = 0;
    return -1;
  }
  *length = 1;
  if (unit[0] < 0x80)
    return unit[0];
  size_t size = unit[0] >= 0xf0   ? 4
                : unit[0] >= 0xe0 ? 3
                : unit[0] >= 0xc2 ? 2
                                  : 0;
  if (!size || unit[0] > 0xf4 || size > available)
    return -1;
  int32_t code = unit[0] & (0xff >> (size + 1));
  for (size_t i = 1; i < size; i++) {
    if ((unit[i] & 0xc0) != 0x80)
      return -1;
    code = (code << 6) | (unit[i] & 0x3f);
  }
  if (code < smallest[size] || code > 0x10ffff ||
      (code >= 0xd800 && code <= 0xdfff))
    return -1;
  *length = size;
  return code;
}

struct range {
  int32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t count, int32_t code) {
  for (size_t i = 0; i < count; i++)
    if (code >= ranges[i].first && code <= ranges[i].last)
      return true;
  return false;
}

#define IN_RANGES(ranges, code)                                                \
  in_ranges((ranges), sizeof(ranges) / sizeof *(ranges), (code))

/** Characters without a shape of their own that change how others are shown:
 * they could reorder a line or hide in it. */
static const struct range formatting[] = {
    {0x00ad, 0x00ad},   {0x034f, 0x034f}, {0x061c, 0x061c}, {0x070f, 0x070f},
    {0x115f, 0x1160},   {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},
    {0x2028, 0x202e},   {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1d173, 0x1d17a},
    {0xe0000, 0xe0fff},
};

/** What takes two columns, for a C library without a UTF-8 locale. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf}, {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60}, {0xffe0, 0xffe6},
    {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
};

/** The locale that knows the widths, or 0.  Never freed: it is one. */
static locale_t utf8_locale(void) {
  static const char *const names[] = {"C.UTF-8", "C.utf8", "en_US.UTF-8"};
  static bool tried;
  static locale_t found;

  if (!tried) {
    tried = true;
    for (size_t i = 0; !found && i < sizeof names / sizeof *names; i++)
      found = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
  }
  return found;
}

/** Columns of a printable character; -1 for one that must be escaped. */
static int code_width(int32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0))
    return -1;
  /* The ellipsis is our own: no locale is loaded for it. */
  if (code < 0x7f || code == 0x2026)
    return 1;
  if (IN_RANGES(formatting, code) || (code & 0xfffe) == 0xfffe)
    return -1;
  locale_t locale = utf8_locale();
  if (!locale)
    return IN_RANGES(wide, code) ? 2 : 1;
  locale_t before = uselocale(locale);
  int width = wcwidth((wchar_t)code);
  uselocale(before);
  return width;
}

static void append_escape(struct buffer *text, int32_t code, const char *bytes,
                          size_t length) {
  if (code > 0xffff)
    buffer_format(text, "\\U%08x", (unsigned)code);
  else if (code > 0xff)
    buffer_format(text, "\\u%04x", (unsigned)code);
  else if (code >= 0)
    buffer_format(text, "\\x%02x", (unsigned)code);
  else
    for (size_t i = 0; i < length; i++)
      buffer_format(text, "\\x%02x", (unsigned)(uint8_t)bytes[i]);
}

void escape_append(struct buffer *text, const char *bytes, size_t length) {
  for (size_t at = 0; at < length;) {
    size_t step;
    int32_t code = utf8_decode(bytes + at, length - at, &step);
    if (code >= 0 && code_width(code) >= 0)
      buffer_append(text, bytes + at, step);
    else
      append_escape(text, code, bytes + at, step);
    at += step;
  }
}

void escape_add(struct buffer *text, const char *string) {
  escape_append(text, string, strlen(string));
}

/** Columns of the character at TEXT, whatever it is, and its bytes. */
static size_t step_width(const char *text, size_t available, size_t *length) {
  int32_t code = utf8_decode(text, available, length);
  int width = code >= 0 ? code_width(code) : 1;

  return width < 0 ? 1 : (size_t)width;
}

size_t display_width(const char *text) {
  size_t width = 0, step;

  for (size_t left = strlen(text); left; text += step, left -= step)
    width += step_width(text, left, &step);
  return width;
}

/** Bytes of the longest start of TEXT that takes at most *COLUMNS, which
 * becomes the columns it takes. */
static size_t prefix_length(const char *text, size_t *columns) {
  size_t length = strlen(text), at = 0, used = 0;

  while (at < length) {
    size_t step;
    size_t width = step_width(text + at, length - at, &step);
    if (used + width > *columns)
      break;
    used += width;
    at += step;
  }
  *columns = used;
  return at;
}

size_t cut_append(struct buffer *to, const char *text, size_t columns,
                  enum cut cut) {
  size_t width = display_width(text);

  if (width <= columns) {
    buffer_add(to, text);
    return width;
  }
  if (!columns)
    return 0;
  if (cut == CUT_END) {
    size_t used = columns - 1;
    buffer_append(to, text, prefix_length(text, &used));
    buffer_add(to, ELLIPSIS);
    return used + 1;
  }
  /* A wide character across the cut goes too: ask for one column more. */
  size_t leave = width - (columns - 1), skipped = leave;
  size_t at = prefix_length(text, &skipped);
  if (skipped < leave) {
    skipped = leave + 1;
    at = prefix_length(text, &skipped);
  }
  buffer_add(to, ELLIPSIS);
  buffer_add(to, text + at);
  return 1 + width - skipped;
}

size_t cut_append_around(struct buffer *to, const char *text, size_t columns,
                         struct span kept) {
  cleanup_buffer struct buffer head = {0}, middle = {0};
  size_t tail = text[kept.end] ? 1 : 0; /* the ellipsis that stands for it */

  buffer_append(&head, text, kept.start);
  buffer_append(&middle, text + kept.start, kept.end - kept.start);
  size_t before = display_width(buffer_string(&head));
  size_t width = display_width(buffer_string(&middle));
  if (!width || before + width + tail <= columns || width + tail > columns)
    return cut_append(to, text, columns, CUT_END);
  size_t room = columns - width - tail, used = 0;
  if (room > 1) {
    /* The blank before an address stays. */
    while (head.length && head.bytes[head.length - 1] == ' ')
      buffer_truncate(&head, head.length - 1);
    used = cut_append(to, buffer_string(&head), room - 1, CUT_END) + 1;
    buffer_add(to, " ");
  }
  buffer_add(to, buffer_string(&middle));
  buffer_add(to, tail ? ELLIPSIS : "");
  return used + width + tail;
}
