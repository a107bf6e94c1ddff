/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "escape.h"

/** A surrogate as CPython writes it with "surrogatepass". */
static bool is_surrogate(const uint8_t *bytes, size_t available) {
  return available >= 3 && bytes[0] == 0xed && bytes[1] >= 0xa0 &&
         bytes[1] <= 0xbf && (bytes[2] & 0xc0) == 0x80;
}

static void add_code(struct buffer *text, int32_t code, const char *bytes,
                     size_t length) {
  if (code == '"' || code == '\\')
    buffer_format(text, "\\%c", (int)code);
  else if (code < 0x20 || code == 0x7f)
    buffer_format(text, "\\u%04x", (unsigned)code);
  else
    buffer_append(text, bytes, length);
}

void json_string(struct buffer *text, const char *string) {
  size_t left = strlen(string), step;

  buffer_add(text, "\"");
  for (; left; string += step, left -= step) {
    int32_t code = utf8_decode(string, left, &step);
    const uint8_t *bytes = (const uint8_t *)string;
    if (code >= 0) {
      add_code(text, code, string, step);
    } else if (is_surrogate(bytes, left)) {
      buffer_format(text, "\\u%04x",
                    0xd000u | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu));
      step = 3;
    } else {
      buffer_add(text, "\xef\xbf\xbd");
    }
  }
  buffer_add(text, "\"");
}
