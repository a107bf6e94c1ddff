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

void visit_expat_parser(struct visit *visit, const struct object *object) {
  const uint64_t count = sizeof expat_handlers / sizeof expat_handlers[0];
  const uint64_t handlers =
      FIELD(visit_layout(visit), object, xmlparseobject, handlers);
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
  bool visited = version >= 0x030c0100 ||
                 (version >= 0x030b0700 && version < 0x030c0000);
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
