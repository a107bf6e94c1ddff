/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Strings of the debuggee as JSON.
 */
#ifndef MUPPY_JSON_H
#define MUPPY_JSON_H

#include "buffer.h"

/** Appends STRING in quotes, as valid JSON in valid UTF-8.  A surrogate, which
 * CPython's strings can hold, becomes \uD8NN; any other byte that is no UTF-8
 * becomes U+FFFD. */
void json_string(struct buffer *text, const char *string);

#endif
