/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Module types that embed an instance of a built-in type and leave the work to
 * its tp_traverse and __sizeof__.
 */
#include "known_modules.h"

#include <string.h>

static const struct known_type *row_of(const char *name) {
  for (const struct known_type *row = known_types; row->name; row++)
    if (!strcmp(row->name, name))
      return row;
  return NULL;
}

static void visit_member(struct visit *visit, const struct object *object,
                         const struct member *member) {
  const struct layout *layout = visit_layout(visit);
  if (layout->version < member->since ||
      (member->before && layout->version >= member->before))
    return;
  if (member->kind == MEMBER_TYPE) {
    visit_own_type(visit);
    return;
  }
  if (member->kind != MEMBER_VISITED && member->kind != MEMBER_OWNED)
    return;
  visit_named(visit, object_field(object, layout->facts[member->fact]),
              member->kind == MEMBER_VISITED ? PYHEAP_VISITED : PYHEAP_OWNED,
              member->name);
}

/* What the row of the built-in type NAME does. */
static void visit_as(struct visit *visit, const struct object *object,
                     const char *name) {
  const struct known_type *row = row_of(name);
  if (!row)
    return;
  const size_t count = sizeof row->members / sizeof row->members[0];
  for (size_t i = 0; i < count && row->members[i].kind != MEMBER_END; i++)
    visit_member(visit, object, &row->members[i]);
  if (row->visit)
    row->visit(visit, object);
}

static uint64_t size_as(const struct pyheap *heap, const struct object *object,
                        const char *name) {
  const struct known_type *row = row_of(name);
  if (row && row->size)
    return row->size(heap, object);
  return object_basicsize(object) +
         object_size_field(object) * object_itemsize(object);
}

void visit_as_dict(struct visit *visit, const struct object *object) {
  visit_as(visit, object, "dict");
}

void visit_as_exception(struct visit *visit, const struct object *object) {
  visit_as(visit, object, "BaseException");
}

void visit_as_list(struct visit *visit, const struct object *object) {
  visit_as(visit, object, "list");
}

void visit_as_oserror(struct visit *visit, const struct object *object) {
  visit_as(visit, object, "OSError");
}

void visit_as_tuple(struct visit *visit, const struct object *object) {
  visit_as(visit, object, "tuple");
}

void visit_as_type(struct visit *visit, const struct object *object) {
  visit_as(visit, object, "type");
}

uint64_t size_as_dict(const struct pyheap *heap, const struct object *object) {
  return size_as(heap, object, "dict");
}

uint64_t size_as_list(const struct pyheap *heap, const struct object *object) {
  return size_as(heap, object, "list");
}

uint64_t size_as_type(const struct pyheap *heap, const struct object *object) {
  return size_as(heap, object, "type");
}
