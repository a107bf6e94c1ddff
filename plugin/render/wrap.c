/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "wrap.h"

#include <string.h>

#include "escape.h"

void print_wrapped(FILE *out, int width, size_t indent, const char *text) {
  cleanup_buffer struct buffer line = {0}, word = {0};
  size_t used = indent;

  while (*text) {
    size_t blanks = strspn(text, " ");
    size_t length = strcspn(text + blanks, " ");
    buffer_clear(&word);
    buffer_append(&word, text + blanks, length);
    size_t columns = display_width(buffer_string(&word));
    if (width > 0 && used > indent && length &&
        used + blanks + columns > (size_t)width) {
      buffer_add(&line, "\n");
      buffer_fill(&line, ' ', indent);
      used = indent;
    } else {
      buffer_fill(&line, ' ', blanks);
      used += blanks;
    }
    buffer_add(&line, buffer_string(&word));
    used += columns;
    text += blanks + length;
  }
  fprintf(out, "%s\n", buffer_string(&line));
}
