/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "size_note.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/render/escape.h"
#include "plugin/render/wrap.h"

enum {
  NAMED = 3, /**< Types named; the others are counted. */
};

void size_note_add(struct size_note *note, const struct pyheap *heap,
                   uint32_t type, uint64_t count) {
  if (!count || !pyheap_type_sizes_itself(heap, type))
    return;
  const char *name = pyheap_type(heap, type)->name;
  for (size_t i = 0; i < note->count; i++)
    if (strcmp(note->types[i].name, name) == 0) {
      note->types[i].count += count;
      return;
    }
  if (note->count == note->capacity) {
    note->capacity = note->capacity ? 2 * note->capacity : 16;
    note->types =
        must_realloc(note->types, note->capacity * sizeof *note->types);
  }
  note->types[note->count++] = (struct size_note_type){name, count};
}

/** Most objects first; of as many, by name. */
static int compare_types(const void *left, const void *right) {
  const struct size_note_type *a = left, *b = right;

  if (a->count != b->count)
    return a->count < b->count ? 1 : -1;
  return strcmp(a->name, b->name);
}

void size_note_print(struct size_note *note, const struct output *output) {
  cleanup_buffer struct buffer text = {0};

  if (note->count) {
    qsort(note->types, note->count, sizeof *note->types, compare_types);
    buffer_add(&text, "these may be larger than shown, having a __sizeof__ of "
                      "their own: ");
    for (size_t i = 0; i < note->count && i < NAMED; i++) {
      escape_add(&text, note->types[i].name);
      buffer_format(&text, " (%" PRIu64 ")%s", note->types[i].count,
                    i + 1 < note->count ? ", " : "");
    }
    if (note->count > NAMED)
      buffer_format(&text, ELLIPSIS " %zu more", note->count - NAMED);
    fputs("note: ", output->file);
    print_wrapped(output->file, output->width, 6, buffer_string(&text));
  }
  free(note->types);
  *note = (struct size_note){0};
}

void size_note_print_rows(const struct output *output,
                          const struct pyheap *heap,
                          const struct pyheap_summary_row *rows, size_t count) {
  struct size_note note = {0};

  for (size_t i = 0; i < count; i++)
    size_note_add(&note, heap, rows[i].type, rows[i].count);
  size_note_print(&note, output);
}
