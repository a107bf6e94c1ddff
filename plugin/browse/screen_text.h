/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Text as a screen needs it: fitted, in ASCII where there is nothing else, in
 * lines, and typed.
 */
#ifndef MUPPY_BROWSE_SCREEN_TEXT_H
#define MUPPY_BROWSE_SCREEN_TEXT_H

#include <stdbool.h>

#include "plugin/render/escape.h"

/** Appends escaped TEXT, cut to COLUMNS around what is KEPT.  Without UNICODE
 * what is no ASCII becomes \xNN or \uNNNN, and an ellipsis "~". */
void screen_text_fit(struct buffer *to, const char *text, struct span kept,
                     size_t columns, bool unicode);
/** Removes the last character of valid UTF-8. */
void screen_text_drop_last(struct buffer *text);
/** Appends a code point as UTF-8; control characters and what is no code point
 * are left out. */
void screen_text_add_code(struct buffer *text, int32_t code);

struct screen_lines {
  char **items; /**< In `bytes`, or each of its own. */
  size_t count, capacity;
  char *bytes;
};

/** The lines of BYTES, which it takes; NULL is none. */
void screen_lines_init(struct screen_lines *lines, char *bytes);
/** Escaped TEXT in lines of COLUMNS, broken where they are full. */
void screen_lines_wrap(struct screen_lines *lines, const char *text,
                       size_t columns, bool unicode);
void screen_lines_deinit(struct screen_lines *lines);

#endif
