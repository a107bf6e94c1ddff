/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "text.h"

void words_put(struct words *words, uint32_t character) {
  if (words->left == 0) {
    words->cut = true;
    return;
  }
  if (words->length + 4 >= words->capacity) {
    size_t capacity = 2 * words->capacity + 64;
    char *grown = realloc(words->text, capacity);
    if (!grown) {
      words->failed = true;
      return;
    }
    words->text = grown;
    words->capacity = capacity;
  }
  char *end = words->text + words->length;
  utf8_put(&end, character);
  words->length = (size_t)(end - words->text);
  words->left--;
}

/** Whether a terminal may be shown the character: no control, no format, no
 * direction marks, no surrogates and nothing of private use; no blank but the
 * common one, which repr() escapes, too. */
static bool is_printable(uint32_t c) {
  static const struct {
    uint32_t first, last;
  } others[] = {
      {0x00, 0x1f},     {0x7f, 0xa0},       {0xad, 0xad},
      {0x61c, 0x61c},   {0x1680, 0x1680},   {0x2000, 0x200f},
      {0x2028, 0x202f}, {0x205f, 0x206f},   {0x3000, 0x3000},
      {0xd800, 0xf8ff}, {0xfeff, 0xfeff},   {0xfff0, 0xfffb},
      {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xf0000, UINT32_MAX},
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (c >= others[i].first && c <= others[i].last)
      return false;
  return true;
}

/** A character as repr() would show it, QUOTE being the quote in use (0:
 * none). */
void words_put_escaped(struct words *words, uint32_t c, char quote,
                       bool is_text) {
  static const char hex[] = "0123456789abcdef";
  const char *simple = c == '\n'   ? "\\n"
                       : c == '\r' ? "\\r"
                       : c == '\t' ? "\\t"
                       : c == '\\' ? "\\\\"
                                   : NULL;
  if (simple) {
    words_say(words, "%s", simple);
    return;
  }
  if (quote && c == (uint32_t)quote) {
    words_put(words, '\\');
    words_put(words, c);
    return;
  }
  if (is_text ? is_printable(c) : c >= 0x20 && c < 0x7f) {
    words_put(words, c);
    return;
  }
  int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
  words_put(words, '\\');
  words_put(words, digits == 2 ? 'x' : digits == 4 ? 'u' : 'U');
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    words_put(words, (uint32_t)hex[c >> shift & 15]);
}

void words_say(struct words *words, const char *format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  for (const char *at = buffer; *at; at++)
    words_put(words, (unsigned char)*at);
}

/** A UTF-8 text of the target, escaped. */
void words_say_utf8(struct words *words, const char *text) {
  const uint8_t *at = (const uint8_t *)text;
  while (*at) {
    uint32_t c = *at++;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    if (more)
      c &= 0x3fu >> more;
    for (; more && (*at & 0xc0) == 0x80; more--)
      c = c << 6 | (*at++ & 0x3f);
    words_put_escaped(words, c, 0, true);
  }
}

struct pyheap_error *words_finish(struct words *words, char **ret) {
  if (!words->text && !words->failed)
    words->text = calloc(1, 4);
  if (words->failed || !words->text) {
    free(words->text);
    return &error_no_memory;
  }
  if (words->cut) {
    /* The last character makes room for the sign that more follows. */
    while (words->length && (words->text[words->length - 1] & 0xc0) == 0x80)
      words->length--;
    if (words->length)
      words->length--;
    char *end = words->text + words->length;
    utf8_put(&end, 0x2026);
    words->length = (size_t)(end - words->text);
  }
  words->text[words->length] = 0;
  *ret = words->text;
  return NULL;
}

void say_text(struct words *words, const struct pyheap *heap,
              uint64_t address) {
  struct text text;
  if (!text_open(heap, address, &text)) {
    words_say(words, "?");
    return;
  }
  for (uint64_t i = 0; i < text.length && !words->cut; i++)
    words_put_escaped(words, text_at(&text, i), 0, true);
}

void say_member(struct words *words, const struct pyheap *heap,
                const struct object *object, int32_t offset) {
  uint64_t address = object_field(object, offset);
  if (address)
    say_text(words, heap, address);
}
