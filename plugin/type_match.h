/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Types by the names that users give.
 */
#ifndef MUPPY_TYPE_MATCH_H
#define MUPPY_TYPE_MATCH_H

#include "plugin/render/buffer.h"
#include "pyheap/pyheap.h"

/** Whether PATTERN (with * and ?) is NAME or what follows any of its dots:
 * "User", "models.User" and "app.models.User" are the same type. */
bool type_name_matches(const char *pattern, const char *name);
/** Edits (a character more, less or other, or two exchanged) from A to B;
 * letters in both cases are the same.  LIMIT + 1 when it is more than LIMIT. */
size_t edit_distance(const char *a, const char *b, size_t limit);

/** For each type whether it is meant; NULL when none is.  free() it. */
bool *type_match(const struct pyheap *heap, const char *pattern,
                 bool subclasses);
/** Whether PATTERN (with * and ?) is the type's module or a package that the
 * module is in: "app" is meant by app.models, too. */
bool type_module_matches(const char *pattern, const struct pyheap_type *type);
/** Appends "; did you mean …?" with the nearest names, or nothing. */
void type_suggest(struct buffer *text, const struct pyheap *heap,
                  const char *pattern);

#endif
