/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "type_match.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugin/render/escape.h"

enum {
  SUGGESTIONS = 3,
  /** Names are compared up to here; nobody mistypes longer ones. */
  NAME_LIMIT = 128,
};

/** Whether the whole of TEXT fits PATTERN, in which * is any text and ? any
 * character; all else is itself, for names have brackets ("Reply[User]"). */
static bool pattern_matches(const char *pattern, const char *text) {
  const char *star = NULL, *retry = NULL;

  while (*text) {
    if (*pattern == '*') {
      star = ++pattern;
      retry = text;
    } else if (*pattern == '?') {
      pattern++;
      do
        text++;
      while ((*text & 0xc0) == 0x80);
    } else if (*pattern == *text) {
      pattern++;
      text++;
    } else if (star) {
      /* The last * takes one more. */
      pattern = star;
      text = ++retry;
    } else {
      return false;
    }
  }
  return !pattern[strspn(pattern, "*")];
}

bool type_name_matches(const char *pattern, const char *name) {
  static const char builtins[] = "builtins.";

  /* Where Python says it, names here do without. */
  if (strncmp(pattern, builtins, sizeof builtins - 1) == 0)
    return pattern_matches(pattern + sizeof builtins - 1, name);
  /* Dots in brackets are those of another name. */
  const char *end = name + strcspn(name, "[");
  while (!pattern_matches(pattern, name)) {
    name = strchr(name, '.');
    if (!name || name >= end)
      return false;
    name++;
  }
  return true;
}

bool *type_match(const struct pyheap *heap, const char *pattern,
                 bool subclasses) {
  uint32_t count = pyheap_type_count(heap);
  bool *named = must_alloc(count * sizeof *named);
  bool *wanted = must_alloc(count * sizeof *wanted);
  bool any = false;

  for (uint32_t i = 0; i < count; i++) {
    named[i] = type_name_matches(pattern, pyheap_type(heap, i)->name);
    any |= named[i];
  }
  for (uint32_t i = 0; i < count; i++) {
    const struct pyheap_type *type = pyheap_type(heap, i);
    wanted[i] = named[i];
    for (uint32_t j = 0; subclasses && !wanted[i] && j < type->mro_count; j++)
      wanted[i] = type->mro[j] < count && named[type->mro[j]];
  }
  free(named);
  if (any)
    return wanted;
  free(wanted);
  return NULL;
}

bool type_module_matches(const char *pattern, const struct pyheap_type *type) {
  if (!type->module_length)
    return pattern_matches(pattern, "builtins");
  char *module = must_copy(type->name);
  module[type->module_length] = '\0';
  bool matches = pattern_matches(pattern, module);
  for (char *dot; !matches && (dot = strrchr(module, '.'));) {
    *dot = '\0';
    matches = pattern_matches(pattern, module);
  }
  free(module);
  return matches;
}

static size_t least(size_t a, size_t b, size_t c) {
  size_t less = a < b ? a : b;

  return less < c ? less : c;
}

static bool same_letter(char a, char b) {
  return tolower((unsigned char)a) == tolower((unsigned char)b);
}

size_t edit_distance(const char *a, const char *b, size_t limit) {
  size_t rows[3][NAME_LIMIT + 1];
  size_t length = strlen(a), columns = strlen(b);

  if (columns > NAME_LIMIT || length > NAME_LIMIT)
    return limit + 1;
  for (size_t j = 0; j <= columns; j++)
    rows[0][j] = j;
  for (size_t i = 1; i <= length; i++) {
    size_t *row = rows[i % 3], *above = rows[(i + 2) % 3];
    const size_t *second = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= columns; j++) {
      bool same = same_letter(a[i - 1], b[j - 1]);
      row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
      if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
          same_letter(a[i - 2], b[j - 1]) && second[j - 2] + 1 < row[j])
        row[j] = second[j - 2] + 1;
    }
  }
  size_t distance = rows[length % 3][columns];
  return distance > limit ? limit + 1 : distance;
}

struct suggestion {
  const char *name;
  size_t distance;
};

/** How far a name is from the pattern, as a whole or in its last part: twice
 * the edits, so that what only contains it can come behind those of as many. */
static size_t name_distance(const char *pattern, const char *name,
                            size_t limit) {
  const char *dot = strrchr(name, '.');
  const char *last = dot ? dot + 1 : name;
  size_t length = strlen(pattern);
  size_t edits = edit_distance(pattern, name, limit);
  size_t last_edits = edit_distance(pattern, last, limit);

  if (last_edits < edits)
    edits = last_edits;
  /* "Ordered" for "collections.OrderedDict" is no misspelling and as near. */
  if (edits > 1 && length >= 3 && strncasecmp(last, pattern, length) == 0)
    edits = 1;
  if (edits > limit && length >= 3 && strcasestr(name, pattern))
    return 2 * limit + 1;
  return 2 * edits;
}

/** Puts a name among the nearest, which are ordered and different. */
static void offer(struct suggestion *nearest, size_t *count,
                  struct suggestion offered) {
  size_t at = *count;

  for (size_t i = 0; i < *count; i++)
    if (strcmp(nearest[i].name, offered.name) == 0)
      return;
  while (at && (nearest[at - 1].distance > offered.distance ||
                (nearest[at - 1].distance == offered.distance &&
                 strcmp(nearest[at - 1].name, offered.name) > 0)))
    at--;
  if (at == SUGGESTIONS)
    return;
  if (*count < SUGGESTIONS)
    ++*count;
  memmove(&nearest[at + 1], &nearest[at], (*count - at - 1) * sizeof *nearest);
  nearest[at] = offered;
}

void type_suggest(struct buffer *text, const struct pyheap *heap,
                  const char *pattern) {
  struct suggestion nearest[SUGGESTIONS];
  size_t count = 0, limit = strlen(pattern) / 3;

  if (limit < 1)
    limit = 1;
  for (uint32_t i = 0; i < pyheap_type_count(heap); i++) {
    const char *name = pyheap_type(heap, i)->name;
    size_t distance = name_distance(pattern, name, limit);
    if (distance <= 2 * limit + 1)
      offer(nearest, &count, (struct suggestion){name, distance});
  }
  for (size_t i = 0; i < count; i++)
    buffer_format(text, "%s'%s'", i ? ", " : "; did you mean ",
                  nearest[i].name);
  if (count)
    buffer_add(text, "?");
}
