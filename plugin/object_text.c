/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "object_text.h"

#include <inttypes.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/render/number.h"

enum {
  VALUE_LIMIT = 1000, /**< Characters of the value of the object itself. */
};

/** The paragraphs that references are listed in. */
enum section {
  SECTION_ATTRIBUTES,
  SECTION_ITEMS,
  SECTION_LOCALS,
  SECTION_OTHER,
  SECTION_COUNT,
};

static const char *const section_titles[SECTION_COUNT] = {
    [SECTION_ATTRIBUTES] = "attributes",
    [SECTION_ITEMS] = "items",
    [SECTION_LOCALS] = "locals",
    [SECTION_OTHER] = "other references",
};

/** One look at an object's references: counts them all, prints one section. */
struct listing {
  const struct pyheap *heap;
  FILE *out;
  int width;
  enum section section;
  bool dict_items; /**< The items are attributes: of a __dict__. */
  bool has_items;  /**< Keys go with the items then. */
  uint64_t limit;
  uint64_t shown, total;
  uint64_t dict;     /**< Address of the object's __dict__, or 0. */
  uint64_t kinds[3]; /**< By enum pyheap_reference_kind. */
};

static bool names_dict(const struct pyheap_reference *reference) {
  if (reference->name.form != PYHEAP_NAME_TEXT)
    return false;
  const char *name = (const char *)(uintptr_t)reference->name.value;
  return strcmp(name, "__dict__") == 0 || strcmp(name, ".__dict__") == 0;
}

static enum section section_of(const struct listing *listing,
                               const struct pyheap_reference *reference) {
  switch (reference->name.form) {
  case PYHEAP_NAME_ATTRIBUTE:
    return SECTION_ATTRIBUTES;
  case PYHEAP_NAME_ITEM:
    return listing->dict_items ? SECTION_ATTRIBUTES : SECTION_ITEMS;
  case PYHEAP_NAME_INDEX:
    return SECTION_ITEMS;
  case PYHEAP_NAME_KEY:
    /* A dict's keys are shown by its items; a set has nothing but keys. */
    return listing->has_items ? SECTION_COUNT : SECTION_ITEMS;
  case PYHEAP_NAME_LOCAL:
  case PYHEAP_NAME_STACK:
    return SECTION_LOCALS;
  default:
    return SECTION_OTHER;
  }
}

static bool count_reference(void *context,
                            const struct pyheap_reference *reference) {
  struct listing *listing = context;

  listing->kinds[reference->kind]++;
  listing->has_items |= reference->name.form == PYHEAP_NAME_ITEM;
  if (names_dict(reference))
    listing->dict = reference->target;
  return true;
}

static void print_line(const struct listing *listing, const struct buffer *text,
                       struct span address) {
  cleanup_buffer struct buffer line = {0};
  size_t columns = listing->width > 0 ? (size_t)listing->width : SIZE_MAX;

  cut_append_around(&line, buffer_string(text), columns, address);
  fprintf(listing->out, "%s\n", buffer_string(&line));
}

static bool print_reference(void *context,
                            const struct pyheap_reference *reference) {
  struct listing *listing = context;
  struct pyheap_name name = reference->name;

  if (section_of(listing, reference) != listing->section)
    return true;
  listing->total++;
  if (listing->shown == listing->limit)
    return true;
  if (listing->total == 1)
    fprintf(listing->out, "%s:\n", section_titles[listing->section]);
  listing->shown++;
  if (listing->dict_items)
    name.form = PYHEAP_NAME_ATTRIBUTE;
  cleanup_buffer struct buffer text = {0};
  buffer_add(&text, "  ");
  describe_name(&text, listing->heap, name);
  describe_probable(&text, reference->kind, name.form);
  buffer_add(&text, ": ");
  pyheap_node node = pyheap_node_at(listing->heap, reference->target);
  struct span address = {text.length, text.length};
  if (node == PYHEAP_NO_NODE) {
    buffer_format(&text, "0x%" PRIx64, reference->target);
    address.end = text.length;
    buffer_add(&text, " (no object)");
  } else {
    address = describe_node(&text, listing->heap, node);
  }
  print_line(listing, &text, address);
  return true;
}

/** Goes on with the attributes of the __dict__ where it is one. */
static void print_dict(struct listing *listing) {
  pyheap_node dict = listing->dict
                         ? pyheap_node_at(listing->heap, listing->dict)
                         : PYHEAP_NO_NODE;

  if (dict == PYHEAP_NO_NODE)
    return;
  bool had_items = listing->has_items;
  listing->dict_items = true;
  listing->has_items = true;
  pyheap_referents(listing->heap, dict, print_reference, listing);
  listing->dict_items = false;
  listing->has_items = had_items;
}

static void print_sections(struct listing *listing, pyheap_node node) {
  for (int section = 0; section < SECTION_COUNT; section++) {
    listing->section = (enum section)section;
    listing->shown = 0;
    listing->total = 0;
    pyheap_referents(listing->heap, node, print_reference, listing);
    if (section == SECTION_ATTRIBUTES)
      print_dict(listing);
    if (listing->total > listing->shown)
      fprintf(listing->out, "  " ELLIPSIS " %" PRIu64 " more\n",
              listing->total - listing->shown);
  }
}

static void print_refcount(FILE *out, const struct pyheap *heap,
                           pyheap_node node) {
  cleanup_buffer struct buffer text = {0};
  int64_t refcount = pyheap_refcount(heap, node), excess;
  size_t found;

  pyheap_referrers(heap, node, &found);
  describe_refcount(&text, refcount);
  fprintf(out, "refcount   %s, %zu reference%s found%s\n", buffer_string(&text),
          found, found == 1 ? "" : "s",
          refcount >= 0 && !pyheap_refcount_excess(heap, node, &excess)
              ? "; static: it does not count them all"
              : "");
}

static void print_collector(FILE *out, const struct pyheap *heap,
                            pyheap_node node) {
  int generation = pyheap_generation(heap, node);

  fprintf(out, "collector  %s",
          pyheap_is_tracked(heap, node) ? "tracked" : "not tracked");
  if (generation == 3)
    fputs(", permanent generation", out);
  else if (generation >= 0)
    fprintf(out, ", generation %d", generation);
  if (pyheap_is_orphan(heap, node))
    fputs("; an orphan: nothing leads to it", out);
  fputc('\n', out);
}

/** Says whose the object is, where there are several interpreters. */
static void print_interpreter(FILE *out, const struct pyheap *heap,
                              pyheap_node node) {
  cleanup_buffer struct buffer text = {0};
  int32_t index = pyheap_interpreter_of(heap, node);

  if (pyheap_interpreter_count(heap) < 2)
    return;
  describe_interpreter(&text, heap, index);
  fprintf(out, "belongs to %s%s\n", index >= 0 ? "interpreter " : "",
          index == PYHEAP_INTERPRETER_SHARED    ? "no interpreter alone"
          : index == PYHEAP_INTERPRETER_UNKNOWN ? "an unknown interpreter"
                                                : buffer_string(&text));
}

static void print_value(FILE *out, const struct pyheap *heap,
                        pyheap_node node) {
  cleanup_buffer struct buffer text = {0};
  int64_t length = pyheap_length(heap, node);

  /* Attributes have a paragraph of their own. */
  if (!pyheap_value_is_attributes(heap, node))
    describe_value(&text, heap, node, VALUE_LIMIT);
  if (text.length)
    fprintf(out, "value      %s\n", buffer_string(&text));
  if (length >= 0)
    fprintf(out, "length     %" PRId64 "\n", length);
}

static void print_referents(const struct listing *listing) {
  const uint64_t *kinds = listing->kinds;

  fprintf(listing->out, "refers to  %" PRIu64 " visited, %" PRIu64 " owned",
          kinds[PYHEAP_VISITED], kinds[PYHEAP_OWNED]);
  if (kinds[PYHEAP_PROBABLE])
    fprintf(listing->out, ", %" PRIu64 " probable", kinds[PYHEAP_PROBABLE]);
  fputc('\n', listing->out);
}

static void print_referrers(FILE *out, const struct pyheap *heap,
                            pyheap_node node) {
  size_t count, different = 0;
  const pyheap_node *referrers = pyheap_referrers(heap, node, &count);

  for (size_t i = 0; i < count; i++)
    different += i == 0 || referrers[i] != referrers[i - 1];
  cleanup_buffer struct buffer text = {0};
  describe_count(&text, different, "referrer");
  fprintf(out, "held by    %s\n", buffer_string(&text));
}

static void print_object(FILE *out, const struct pyheap *heap,
                         pyheap_node node) {
  cleanup_buffer struct buffer type = {0};
  uint32_t number = pyheap_type_of(heap, node);
  char size[SIZE_TEXT];

  describe_type(&type, heap, number);
  fprintf(out, "address    0x%016" PRIx64 "\n", pyheap_address(heap, node));
  fprintf(out, "type       %s", buffer_string(&type));
  if (number < pyheap_type_count(heap))
    fprintf(out, " (0x%" PRIx64 ")", pyheap_type(heap, number)->address);
  uint64_t bytes = pyheap_size(heap, node);
  fprintf(out, "\nsize       %" PRIu64 " bytes", bytes);
  if (bytes >= 1024)
    fprintf(out, " (%s)", format_size_short(size, bytes));
  if (!pyheap_size_certain(heap, node))
    fputs(" or more (its sizes contradict each other)", out);
  else if (number < pyheap_type_count(heap) &&
           pyheap_type_sizes_itself(heap, number))
    fputs(" or more (its class has a __sizeof__ of its own)", out);
  fputc('\n', out);
  print_refcount(out, heap, node);
  print_collector(out, heap, node);
  print_interpreter(out, heap, node);
  print_value(out, heap, node);
}

void object_text(FILE *out, int width, const struct pyheap *heap,
                 pyheap_node node, uint64_t limit) {
  struct listing listing = {
      .heap = heap,
      .out = out,
      .width = width,
      .limit = limit,
  };

  pyheap_referents(heap, node, count_reference, &listing);
  if (pyheap_is_root(heap, node)) {
    cleanup_buffer struct buffer name = {0};
    describe_identity(&name, heap, node);
    fprintf(out, "root       %s\n", buffer_string(&name));
  } else {
    print_object(out, heap, node);
  }
  print_referents(&listing);
  if (!pyheap_is_root(heap, node))
    print_referrers(out, heap, node);
  print_sections(&listing, node);
}
