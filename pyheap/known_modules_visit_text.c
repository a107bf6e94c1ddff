/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * References of module types that lie outside the object or hold under a
 * condition: parsers, pickles, codecs.
 */
#include "config.h"

#include "heap.h"
#include "known_modules.h"

/* _elementtree ------------------------------------------------------------ */

enum {
  JOIN_TAG = 1
}; /* Set on a list of strings that are to be joined. */

void visit_element(struct visit *visit, const struct object *object) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  visit_named(visit,
              FIELD(layout, object, ElementObject, text) & ~(uint64_t)JOIN_TAG,
              PYHEAP_VISITED, ".text");
  visit_named(visit,
              FIELD(layout, object, ElementObject, tail) & ~(uint64_t)JOIN_TAG,
              PYHEAP_VISITED, ".tail");
  const uint64_t extra = FIELD(layout, object, ElementObject, extra);
  if (!extra)
    return;
  const uint8_t *bytes =
      memory_array(heap, extra, 1, SIZEOF(layout, ElementObjectExtra));
  if (!bytes) {
    visit_problem(visit, "children of an Element", extra);
    return;
  }
  visit_named(visit,
              load_member(bytes, OFFSET(layout, ElementObjectExtra, attrib)),
              PYHEAP_VISITED, ".attrib");
  visit_array(visit,
              load_member(bytes, OFFSET(layout, ElementObjectExtra, children)),
              load_member(bytes, OFFSET(layout, ElementObjectExtra, length)),
              PYHEAP_VISITED);
}

void visit_element_iterator(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  const int32_t size = SIZEOF(layout, ParentLocator);
  const uint64_t stack = FIELD(layout, object, ElementIterObject, parent_stack);
  const uint64_t used =
      FIELD(layout, object, ElementIterObject, parent_stack_used);
  if (!used)
    return;
  const uint8_t *bytes = memory_array(visit_heap(visit), stack, used, size);
  if (!bytes) {
    visit_problem(visit, "parents of an element iterator", stack);
    return;
  }
  /* From the innermost element outwards. */
  for (uint64_t i = used; i--;)
    visit_named(visit,
                load_member(bytes + i * (uint64_t)size,
                            OFFSET(layout, ParentLocator, parent)),
                PYHEAP_VISITED, "parent");
}

/* pyexpat ----------------------------------------------------------------- */

/* In the order of `handler_info` (Modules/pyexpat.c); 3.0 to 3.15. */
static const char *const expat_handlers[] = {
    ".StartElementHandler",
    ".EndElementHandler",
    ".ProcessingInstructionHandler",
    ".CharacterDataHandler",
    ".UnparsedEntityDeclHandler",
    ".NotationDeclHandler",
    ".StartNamespaceDeclHandler",
    ".EndNamespaceDeclHandler",
    ".CommentHandler",
    ".StartCdataSectionHandler",
    ".EndCdataSectionHandler",
    ".DefaultHandler",
    ".DefaultHandlerExpand",
    ".NotStandaloneHandler",
    ".ExternalEntityRefHandler",
    ".StartDoctypeDeclHandler",
    ".EndDoctypeDeclHandler",
    ".EntityDeclHandler",
    ".XmlDeclHandler",
    ".ElementDeclHandler",
    ".AttlistDeclHandler",
    ".SkippedEntityHandler",
};

/** Where the members of a parser are that refer to objects. */
struct expat_members {
  int32_t parent; /**< FACT_ABSENT: it has none. */
  int32_t intern, handlers;
};

/** Finds the members, which have moved within every version from 3.8 to 3.13,
 * and in distributions' patches: first came reparse_deferral_enabled (gh-115398:
 * 3.12.3, 3.11.9, ...), then parent (gh-139400: 3.13.8, 3.12.12, 3.11.14,
 * 3.10.19, 3.9.24), each a word.  The size of the type, which nobody can derive
 * from, tells what there is; intern and handlers remain the last (pyexpat.c,
 * xmlparseobject).  False when it is none of these. */
static bool find_expat_members(const struct layout *layout,
                               const struct object *object,
                               struct expat_members *ret) {
  enum {
    WORD = 8,
    FIRST_WORDS = 7, /**< Of 3.8.0, behind the header. */
    WITH_PARENT = 9,
  };
  int32_t size = (int32_t)object_basicsize(object);
  int32_t header = SIZEOF(layout, PyObject);
  if (size == SIZEOF(layout, xmlparseobject)) {
    *ret = (struct expat_members){OFFSET(layout, xmlparseobject, parent),
                                  OFFSET(layout, xmlparseobject, intern),
                                  OFFSET(layout, xmlparseobject, handlers)};
    return true;
  }
  int32_t words = (size - header) / WORD;
  if (words < FIRST_WORDS || words > WITH_PARENT || size % WORD)
    return false;
  /* The parent follows the parser of libexpat, which comes first. */
  *ret =
      (struct expat_members){words == WITH_PARENT ? header + WORD : FACT_ABSENT,
                             size - 2 * WORD, size - WORD};
  return true;
}

static void visit_expat_handlers(struct visit *visit, uint64_t handlers) {
  const uint64_t count = sizeof expat_handlers / sizeof expat_handlers[0];
  if (!handlers)
    return;
  const uint8_t *bytes = memory_array(visit_heap(visit), handlers, count, 8);
  if (!bytes) {
    visit_problem(visit, "handlers of an XML parser", handlers);
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    visit_named(visit, load_u64(bytes + 8 * i), PYHEAP_VISITED,
                expat_handlers[i]);
}

void visit_expat_parser(struct visit *visit, const struct object *object) {
  struct expat_members members;
  if (!find_expat_members(visit_layout(visit), object, &members)) {
    visit_problem(visit, "XML parsers of an unknown build", object->address);
    return;
  }
  visit_expat_handlers(visit, object_field(object, members.handlers));
  visit_named(visit, object_field(object, members.parent), PYHEAP_VISITED,
              "parent");
  visit_named(visit, object_field(object, members.intern), PYHEAP_OWNED,
              ".intern");
}

/* _multibytecodec --------------------------------------------------------- */

/* "strict", "ignore" and "replace" are the small numbers 1 to 3. */
enum {
  CODEC_ERRORS_REPLACE = 3
};

void visit_multibyte_codec(struct visit *visit, const struct object *object) {
  const uint64_t errors =
      FIELD(visit_layout(visit), object, MultibyteStatefulCodecContext, errors);
  if (errors > CODEC_ERRORS_REPLACE)
    visit_named(visit, errors, PYHEAP_VISITED, ".errors");
}

/* _pickle ----------------------------------------------------------------- */

void visit_pickle_data(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_array(visit, FIELD(layout, object, Pdata, data),
              FIELD(layout, object, PyVarObject, ob_size), PYHEAP_OWNED);
}

/* The memo keeps every object written alive; its values are numbers.  Visited
 * since 3.11.7 and 3.12.1 (Modules/_pickle.c, Pickler_traverse and
 * Unpickler_traverse; bpo-41422). */
static enum pyheap_reference_kind memo_kind(const struct pyheap *heap) {
  uint32_t version = heap->info.hexversion;
  bool visited =
      version >= 0x030c0100 || (version >= 0x030b0700 && version < 0x030c0000);
  return visited ? PYHEAP_VISITED : PYHEAP_OWNED;
}

void visit_pickler(struct visit *visit, const struct object *object) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  const uint64_t memo = FIELD(layout, object, PicklerObject, memo);
  if (!memo)
    return;
  const uint64_t count =
      heap_word(heap, memo, OFFSET(layout, PyMemoTable, mt_allocated));
  const uint64_t table =
      heap_word(heap, memo, OFFSET(layout, PyMemoTable, mt_table));
  const int32_t size = SIZEOF(layout, PyMemoEntry);
  const uint8_t *bytes = memory_array(heap, table, count, size);
  if (!bytes) {
    visit_problem(visit, "memo of a Pickler", memo);
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    visit_named(visit,
                load_member(bytes + i * (uint64_t)size,
                            OFFSET(layout, PyMemoEntry, me_key)),
                memo_kind(heap), "memo");
}

void visit_unpickler(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  const uint64_t memo = FIELD(layout, object, UnpicklerObject, memo);
  if (memo)
    visit_array(visit, memo, FIELD(layout, object, UnpicklerObject, memo_size),
                memo_kind(visit_heap(visit)));
}

/* _io ---------------------------------------------------------------------- */

/* From 3.14 on the writer is allocated; before, it is a part of the object. */
void visit_io_stringio(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  if (OFFSET(layout, stringio, writer_buffer) >= 0)
    return;
  visit_named(visit,
              heap_word(visit_heap(visit),
                        FIELD(layout, object, stringio, writer),
                        OFFSET(layout, _PyUnicodeWriter, buffer)),
              PYHEAP_OWNED, "text written");
}

/* _queue ------------------------------------------------------------------- */

/* The ring of items that takes the place of a list in 3.13. */
void visit_simple_queue(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  const uint64_t count = FIELD(layout, object, simplequeueobject, num_items);
  const uint64_t capacity = FIELD(layout, object, simplequeueobject, items_cap);
  const uint64_t first = FIELD(layout, object, simplequeueobject, get_idx);
  if (!count)
    return;
  const uint8_t *items = memory_array(
      visit_heap(visit), FIELD(layout, object, simplequeueobject, items),
      capacity, 8);
  if (!items || count > capacity || first >= capacity) {
    visit_problem(visit, "items of a SimpleQueue", object->address);
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    visit_reference(visit, load_u64(items + 8 * ((first + i) % capacity)),
                    PYHEAP_VISITED, PYHEAP_NAME_INDEX, i);
}

/* _sre --------------------------------------------------------------------- */

/* A template's groups, and the text behind each; since 3.12. */
void visit_sre_template(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  const int32_t first = OFFSET(layout, TemplateObject, item_literal);
  const int32_t second = OFFSET(layout, TemplateObject, next_item_literal);
  const uint64_t count = object_size_field(object);
  if (first < 0 || second <= first || count > object->available) {
    visit_problem(visit, "groups of a template", object->address);
    return;
  }
  for (uint64_t i = 0; i < count; i++) {
    uint64_t offset = (uint64_t)first + i * (uint64_t)(second - first);
    if (offset + 8 > object->available)
      return;
    visit_reference(visit, load_u64(object->bytes + offset), PYHEAP_VISITED,
                    PYHEAP_NAME_INDEX, i);
  }
}
