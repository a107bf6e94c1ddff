/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What the C-implemented types of the interpreter and its standard library
 * refer to and weigh: one row a type.
 *
 * A row says what the type's own tp_traverse visits and what else an instance
 * owns.  What every instance of a Python class has (slots, __dict__, the
 * reference to its type) is object.c's business, and so is a base type's row:
 * a row whose C tp_traverse calls another type's traverse repeats its members
 * or calls its function.
 */
#ifndef PYHEAP_KNOWN_TYPE_H
#define PYHEAP_KNOWN_TYPE_H

#include "layout/layout.h"
#include "pyheap.h"

struct pyheap;
struct type;

/** One object, mapped. */
struct object {
  uint64_t address;
  const uint8_t *bytes; /**< Its first byte. */
  uint64_t available;   /**< Bytes that can be read from there on; at least
                                the basic size of its type. */
  const struct type *type;
};

/** Takes the references of one object. */
struct visit;

/** One reference of an object; a NULL target is left out. */
void visit_reference(struct visit *visit, uint64_t target,
                     enum pyheap_reference_kind kind,
                     enum pyheap_name_form form, uint64_t name);
/** The same with a name to be shown as it is, such as ".co_consts". */
void visit_named(struct visit *visit, uint64_t target,
                 enum pyheap_reference_kind kind, const char *name);
/** COUNT pointers in a row at ADDRESS, named by index. */
void visit_array(struct visit *visit, uint64_t address, uint64_t count,
                 enum pyheap_reference_kind kind);
/** Whether what is visited from now on counts in its target's ob_refcnt, as it
 * does at the start of an object or root. */
void visit_counted(struct visit *visit, bool counted);
/** The visited reference to the object's own type (Py_VISIT(Py_TYPE(self))). */
void visit_own_type(struct visit *visit);
/** Says that memory the object needs could not be read or makes no sense. */
void visit_problem(struct visit *visit, const char *what, uint64_t address);
/** The heap and the layout that the object is read with. */
const struct pyheap *visit_heap(const struct visit *visit);
const struct layout *visit_layout(const struct visit *visit);

/** LENGTH bytes of the target at ADDRESS, or NULL when not all can be read. */
const uint8_t *heap_memory(const struct pyheap *heap, uint64_t address,
                           uint64_t length);
/** The u64 at ADDRESS + OFFSET; 0 when OFFSET is absent or it cannot be read. */
uint64_t heap_word(const struct pyheap *heap, uint64_t address, int32_t offset);
const struct layout *heap_layout(const struct pyheap *heap);
/** The count of the object at ADDRESS, as pyheap_refcount(); 0 when unreadable. */
int64_t heap_refcount(const struct pyheap *heap, uint64_t address);
/** sys.getsizeof() of the bytes object at ADDRESS; 0 when there is none. */
uint64_t heap_getsizeof(const struct pyheap *heap, uint64_t address);
/** Whether an object starts at ADDRESS. */
bool heap_is_object(const struct pyheap *heap, uint64_t address);
/** Basic size and tp_itemsize of an object's type, and |ob_size|; 0 where the
 * type has no items. */
uint64_t object_basicsize(const struct object *object);
uint64_t object_itemsize(const struct object *object);
uint64_t object_size_field(const struct object *object);

static inline uint64_t load_u64(const uint8_t *bytes) {
  uint64_t value;
  __builtin_memcpy(&value, bytes, sizeof value);
  return value;
}
static inline int64_t load_i64(const uint8_t *bytes) {
  return (int64_t)load_u64(bytes);
}
static inline uint32_t load_u32(const uint8_t *bytes) {
  uint32_t value;
  __builtin_memcpy(&value, bytes, sizeof value);
  return value;
}
static inline uint16_t load_u16(const uint8_t *bytes) {
  uint16_t value;
  __builtin_memcpy(&value, bytes, sizeof value);
  return value;
}

/** A member of the object itself as u64; 0 for an absent fact.  Members inside
 * the basic size only. */
#define FIELD(visit_or_layout, object, structure, member)                      \
  object_field((object), OFFSET((visit_or_layout), structure, member))
static inline uint64_t object_field(const struct object *object,
                                    int32_t offset) {
  if (offset < 0 || (uint64_t)offset + 8 > object->available)
    return 0;
  return load_u64(object->bytes + offset);
}

/** One byte of the object; 0 for an absent fact, and behind the end of a type
 * that damage made shorter than its row has it. */
static inline uint8_t object_byte(const struct object *object, int32_t offset) {
  return offset < 0 || (uint64_t)offset >= object->available
             ? 0
             : object->bytes[offset];
}

enum member_kind {
  MEMBER_END,
  MEMBER_VISITED,        /**< A pointer that tp_traverse visits. */
  MEMBER_OWNED,          /**< A strong reference that it does not visit. */
  MEMBER_TYPE,           /**< tp_traverse visits Py_TYPE(self). */
  MEMBER_TYPE_ELSEWHERE, /**< Another object reports the reference that this
                              one holds to its (heap) type. */
};

struct member {
  enum member_kind kind;
  uint16_t fact;
  /** First version with and first one without it: 0x030c for 3.12, 0x030e0100
   * for 3.14.1; 0: any. */
  uint32_t since, before;
  const char *name; /**< Shown as it is: ".func", "callback". */
};

#define VISITED(structure, member_, name_)                                     \
  {                                                                            \
    .kind = MEMBER_VISITED, .fact = FACT_##structure##__##member_,             \
    .name = name_                                                              \
  }
#define VISITED_SINCE(version, structure, member_, name_)                      \
  {                                                                            \
    .kind = MEMBER_VISITED, .fact = FACT_##structure##__##member_,             \
    .since = version, .name = name_                                            \
  }
#define VISITED_BEFORE(version, structure, member_, name_)                     \
  {                                                                            \
    .kind = MEMBER_VISITED, .fact = FACT_##structure##__##member_,             \
    .before = version, .name = name_                                           \
  }
#define VISITED_DURING(version, end, structure, member_, name_)                \
  {                                                                            \
    .kind = MEMBER_VISITED, .fact = FACT_##structure##__##member_,             \
    .since = version, .before = end, .name = name_                             \
  }
#define OWNED(structure, member_, name_)                                       \
  { .kind = MEMBER_OWNED, .fact = FACT_##structure##__##member_, .name = name_ }
#define OWNED_BEFORE(version, structure, member_, name_)                       \
  {                                                                            \
    .kind = MEMBER_OWNED, .fact = FACT_##structure##__##member_,               \
    .before = version, .name = name_                                           \
  }
#define OWNED_DURING(version, end, structure, member_, name_)                  \
  {                                                                            \
    .kind = MEMBER_OWNED, .fact = FACT_##structure##__##member_,               \
    .since = version, .before = end, .name = name_                             \
  }
#define OWN_TYPE                                                               \
  { .kind = MEMBER_TYPE }
#define OWN_TYPE_SINCE(version)                                                \
  { .kind = MEMBER_TYPE, .since = version }
#define TYPE_ELSEWHERE                                                         \
  { .kind = MEMBER_TYPE_ELSEWHERE }

/** Whether the target is of VERSION, written as in a row, or a later one. */
bool version_reached(const struct pyheap *heap, uint32_t version);
/** Whether its version is one that a row is for. */
static inline bool member_applies(const struct pyheap *heap,
                                  const struct member *member) {
  return version_reached(heap, member->since) &&
         (!member->before || !version_reached(heap, member->before));
}

/** Types that other parts of the library treat by name. */
enum object_kind {
  KIND_OTHER,
  KIND_OBJECT, /**< The row of `object` itself: no member. */
  KIND_TYPE,
  KIND_NONE,
  KIND_BOOL,
  KIND_INT,
  KIND_FLOAT,
  KIND_COMPLEX,
  KIND_STR,
  KIND_BYTES,
  KIND_BYTEARRAY,
  KIND_LIST,
  KIND_TUPLE,
  KIND_DICT,
  KIND_SET,
  KIND_FUNCTION,
  KIND_BUILTIN,
  KIND_METHOD,
  KIND_CODE,
  KIND_MODULE,
  KIND_FRAME,
  KIND_GENERATOR,
  KIND_CELL,
  KIND_DESCRIPTOR,
  KIND_EXCEPTION,
  KIND_DEQUE,
  KIND_WEAKREF,
  KIND_RANGE,
  KIND_NDARRAY,
};

struct known_type {
  const char *name; /**< tp_name in CPython's source: "functools.partial". */
  enum object_kind kind;
  /** Visits what the members cannot say; after them; may be NULL. */
  void (*visit)(struct visit *visit, const struct object *object);
  /** __sizeof__() in bytes; NULL: basic size + |ob_size| * itemsize. */
  uint64_t (*size)(const struct pyheap *heap, const struct object *object);
  /** ob_size counts items that are not in the object, though it weighs them. */
  bool items_elsewhere;
  struct member members[24]; /**< Up to the first MEMBER_END. */
};

/** The types of the interpreter itself (known_types.c) and of the standard
 * library's C modules (known_modules.c); name NULL behind the last. */
extern const struct known_type known_types[];
extern const struct known_type known_modules[];

/** A module in C: what its m_traverse visits in its state (md_state).  Member
 * offsets count from the state's start. */
struct known_module_state {
  const char *name; /**< The m_name of its definition: "_functools". */
  uint16_t size;    /**< The fact that must equal its definition's m_size. */
  bool grew; /**< … or be more: some micro versions lack the last members. */
  struct member members[32];
  /** Visits what the members cannot say, after them; STATE is mapped whole.
   * May be NULL. */
  void (*visit)(struct visit *visit, const uint8_t *state);
};
extern const struct known_module_state known_module_states[];

#endif
