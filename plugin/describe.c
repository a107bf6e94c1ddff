/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "describe.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
  NAME_LIMIT = 60, /**< Characters of a reference's name. */
  NAMES_SHOWN = 3, /**< Of several references between the same two. */
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
  describe_value(text, heap, node, SHORT_VALUE);
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
  /* The name of an offset has a question mark of its own. */
  if (kind == PYHEAP_PROBABLE && form != PYHEAP_NAME_OFFSET)
    buffer_add(text, "?");
}

/** Looks for the references between two nodes. */
struct search {
  uint64_t target;
  uint64_t wanted; /**< Stop after so many. */
  uint64_t found;
  struct pyheap_reference references[NAMES_SHOWN];
};

static bool search_reference(void *context,
                             const struct pyheap_reference *reference) {
  struct search *search = context;

  if (reference->target != search->target)
    return true;
  if (search->found < NAMES_SHOWN)
    search->references[search->found] = *reference;
  return ++search->found < search->wanted;
}

/** What is inside something else, and not a part of it. */
static bool is_contained(enum pyheap_name_form form) {
  switch (form) {
  case PYHEAP_NAME_ITEM:
  case PYHEAP_NAME_KEY:
  case PYHEAP_NAME_INDEX:
  case PYHEAP_NAME_LOCAL:
  case PYHEAP_NAME_STACK:
    return true;
  default:
    return false;
  }
}

/** Appends the names of what was found. */
static void add_names(struct buffer *text, const struct pyheap *heap,
                      const struct search *search) {
  uint64_t shown = search->found < NAMES_SHOWN ? search->found : NAMES_SHOWN;

  for (uint64_t i = 0; i < shown; i++) {
    buffer_add(text, i ? ", " : "");
    const struct pyheap_reference *reference = &search->references[i];
    describe_name(text, heap, reference->name);
    describe_probable(text, reference->kind, reference->name.form);
  }
  if (search->found > shown)
    buffer_format(text, ", " ELLIPSIS " %" PRIu64 " more",
                  search->found - shown);
}

void describe_references(struct buffer *text, const struct pyheap *heap,
                         pyheap_node from, uint64_t target, uint64_t count) {
  struct search search = {.target = target, .wanted = count};

  pyheap_referents(heap, from, search_reference, &search);
  add_names(text, heap, &search);
  if (search.found)
    buffer_add(text,
               is_contained(search.references[0].name.form) ? " in " : " of ");
}

void describe_reference_names(struct buffer *text, const struct pyheap *heap,
                              pyheap_node from, uint64_t target,
                              uint64_t count) {
  struct search search = {.target = target, .wanted = count};

  pyheap_referents(heap, from, search_reference, &search);
  add_names(text, heap, &search);
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
