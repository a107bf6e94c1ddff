/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "describe.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
  NAME_LIMIT = 60, /**< Characters of a reference's name. */
};

void describe_type(struct buffer *text, const struct pyheap *heap,
                   uint32_t type) {
  if (type < pyheap_type_count(heap))
    escape_add(text, pyheap_type(heap, type)->name);
  else
    buffer_add(text, "?");
}

/** Appends what the library made, or that it could not. */
static void add_owned(struct buffer *text, struct pyheap_error *error,
                      char *string) {
  if (error) {
    buffer_add(text, "<unreadable>");
    pyheap_error_destroy(error);
    return;
  }
  escape_add(text, string);
  free(string);
}

void describe_value(struct buffer *text, const struct pyheap *heap,
                    pyheap_node node, size_t limit) {
  char *value = NULL;
  struct pyheap_error *error = pyheap_value(heap, node, limit, &value);

  add_owned(text, error, value);
}

struct span describe_identity(struct buffer *text, const struct pyheap *heap,
                              pyheap_node node) {
  if (pyheap_is_root(heap, node)) {
    escape_add(text, pyheap_root_name(heap, node));
    return (struct span){0};
  }
  describe_type(text, heap, pyheap_type_of(heap, node));
  size_t start = text->length + 1;
  buffer_format(text, " 0x%" PRIx64, pyheap_address(heap, node));
  return (struct span){start, text->length};
}

struct span describe_node(struct buffer *text, const struct pyheap *heap,
                          pyheap_node node) {
  struct span address = describe_identity(text, heap, node);

  if (pyheap_is_root(heap, node))
    return address;
  size_t before = text->length;
  buffer_add(text, " ");
  describe_value(text, heap, node,
                 pyheap_value_is_attributes(heap, node) ? SHORT_ATTRIBUTES
                                                        : SHORT_VALUE);
  if (text->length == before + 1)
    buffer_truncate(text, before);
  return address;
}

void describe_name(struct buffer *text, const struct pyheap *heap,
                   struct pyheap_name name) {
  char *string = NULL;
  struct pyheap_error *error =
      pyheap_name_text(heap, name, NAME_LIMIT, &string);

  add_owned(text, error, string);
}

void describe_probable(struct buffer *text, enum pyheap_reference_kind kind,
                       enum pyheap_name_form form) {
  /* The names of offsets have a question mark of their own. */
  if (kind == PYHEAP_PROBABLE && form != PYHEAP_NAME_OFFSET &&
      form != PYHEAP_NAME_BLOCK)
    buffer_add(text, "?");
}

void describe_refcount(struct buffer *text, int64_t refcount) {
  if (refcount == -1)
    buffer_add(text, "immortal");
  else if (refcount < 0)
    buffer_add(text, "makes no sense");
  else
    buffer_format(text, "%" PRId64, refcount);
}

void describe_interpreter(struct buffer *text, const struct pyheap *heap,
                          int32_t index) {
  if (index == PYHEAP_INTERPRETER_SHARED)
    buffer_add(text, "shared");
  else if (index == PYHEAP_INTERPRETER_UNKNOWN)
    buffer_add(text, "unknown");
  else
    buffer_format(text, "%" PRId64, pyheap_interpreter(heap, index)->id);
}

void describe_count(struct buffer *text, uint64_t count, const char *what) {
  buffer_format(text, "%" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}
