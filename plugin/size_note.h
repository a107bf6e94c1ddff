/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The line below an answer that says whose sizes are not whole: of types with a
 * __sizeof__ that only running it could ask.
 */
#ifndef MUPPY_SIZE_NOTE_H
#define MUPPY_SIZE_NOTE_H

#include "plugin/output.h"
#include "pyheap/pyheap.h"

/** A type of objects that say themselves what they weigh. */
struct size_note_type {
  const char *name;
  uint64_t count; /**< Objects. */
};

/** Such types among those of an answer, by name. */
struct size_note {
  struct size_note_type *types;
  size_t count, capacity;
};

/** Takes COUNT objects of type TYPE into account. */
void size_note_add(struct size_note *note, const struct pyheap *heap,
                   uint32_t type, uint64_t count);
/** Prints what is to be said, if anything, and empties the note. */
void size_note_print(struct size_note *note, const struct output *output);
/** Both, for the rows of a whole answer. */
void size_note_print_rows(const struct output *output,
                          const struct pyheap *heap,
                          const struct pyheap_summary_row *rows, size_t count);

#endif
