/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * One opened heap, as the parts of the library share it.
 */
#ifndef PYHEAP_HEAP_H
#define PYHEAP_HEAP_H

#include "error.h"
#include "known_type.h"
#include "layout/layout.h"
#include "memory.h"
#include "parallel.h"
#include "sorted.h"
#include "type.h"

enum {
  MAX_INTERPRETERS = 1 << 13,
  MAX_THREADS = 1 << 20,
  MAX_FRAMES = 1 << 24, /**< Of all threads together. */
  MAX_PROBLEMS = 64,    /**< Kinds, not occurrences. */
};

/** What refers to objects and is none. */
struct root {
  enum pyheap_root_kind kind;
  uint64_t address;     /**< Of the struct in the target; unique. */
  uint64_t interpreter; /**< PyInterpreterState it belongs to, or 0. */
  char *name;           /**< Made when first asked for. */
};

/** The references to one object that threads have counted by themselves. */
struct thread_count {
  uint64_t address;
  int64_t count;
};

struct problems {
  struct pyheap_problem list[MAX_PROBLEMS];
  size_t count;
};

enum {
  NO_OBJECT_TYPE = UINT16_MAX
};

struct pyheap {
  struct memory memory;
  bool from_reader; /**< The memory was copied through target.reader. */
  const struct layout *layout;
  struct pyheap_target target; /**< Its strings are the heap's own. */
  unsigned threads;

  /* The runtime: runtime.c */
  uint64_t runtime;         /**< Address of _PyRuntime. */
  const char *runtime_file; /**< The file that holds it. */
  bool
      patched_by_debian; /**< 3.13 with a patch that moves the collector's lists
                               by four bytes; another comes with it. */
  struct root *roots;
  size_t root_count;
  uint64_t *running; /**< The frames among them, ascending. */
  size_t running_count;

  /** By id; behind them what several share, and what nothing tells. */
  struct pyheap_interpreter *interpreters;

  /** The dicts of interned strings, ascending; none when not found. */
  uint64_t *interned;
  size_t interned_count;

  /** By area of memory.statics; NULL where the version has none:
   * static_tables.c */
  struct static_tables *static_tables;

  /** Of free-threaded builds from 3.14 on, by address: refcount.c. */
  struct thread_count *thread_counts;
  size_t thread_count_count;

  struct types types; /**< type.c */
  struct block_owner *block_owners;

  /* The objects: discover.c.  One bit a granule of 8 bytes of the memory that
   * may hold objects; ranks[i] counts the bits before word 8 * i. */
  uint64_t *marks;
  uint32_t *ranks;
  uint32_t object_count;
  bool objects_found;
  uint64_t
      *orphans; /**< A bitmap like marks; NULL until they were looked for. */
  int8_t *generations; /**< By object; made when first asked for. */
  uint16_t *owners;    /**< By object; NULL with one interpreter, or not found
                            yet: interpreters.c */
  bool interpreters_found;

  /* Totals by type: rows by type index, made while objects are found. */
  struct pyheap_summary_row *reachable_rows, *tracked_rows;
  size_t row_count;
  struct pyheap_summary_row *orphan_rows;
  size_t orphan_row_count;

  /* The references: index.c.  The nodes that refer to object n are
   * in_sources[in_starts[n]] .. [in_starts[n + 1]], ascending. */
  uint32_t *in_starts;
  uint32_t *in_sources;
  bool references_indexed;
  /** The targets of references that no ob_refcnt counts, sorted. */
  uint32_t *uncounted;
  size_t uncounted_count;

  /** By object: the index of its type, or NO_OBJECT_TYPE for what is no less or
   * not known.  NULL until references are indexed, and when that was saved. */
  uint16_t *object_types;

  /** A mapped index that was saved: marks, orphans, in_starts, in_sources and
   * uncounted are in it then, and nobody writes to them. */
  const uint8_t *saved;
  uint64_t saved_size;

  struct symbols *symbols;  /**< Of the file that was last asked for names. */
  const char *symbols_path; /**< That file; a string of memory.files. */

  struct problems problems;
  struct pyheap_info info;
};

/* Problems: what could not be read or makes no sense.  WHAT is a static text.
 */
void problems_add(struct problems *problems, const char *what, uint64_t address,
                  uint64_t count);
void problems_merge(struct problems *problems, const struct problems *more);

/** runtime.c: finds and checks the runtime, and has all roots listed. */
struct pyheap_error *runtime_find(struct pyheap *heap);
/** root_list.c: lists the roots.  A list that is broken becomes a problem. */
struct pyheap_error *roots_list(struct pyheap *heap);
/** Whether a root stands for the frame at ADDRESS: a thread runs it. */
bool heap_is_running(const struct pyheap *heap, uint64_t frame);
/** The head of gc generation GENERATION (0 .. 2, 3 permanent) of an
 * interpreter; 0 when it has none. */
uint64_t runtime_generation(const struct pyheap *heap, uint64_t interpreter,
                            int generation);
/** The word at OFFSET of an interpreter's collector state; 0 when it has none. */
uint64_t runtime_gc_member(const struct pyheap *heap, uint64_t interpreter,
                           int32_t offset);
/** Whether functions run in frame objects (up to 3.10). */
static inline bool heap_has_frame_objects(const struct pyheap *heap) {
  return OFFSET(heap->layout, PyFrameObject, f_code) != FACT_ABSENT;
}
/** The references that a root holds. */
void root_visit(struct visit *visit, const struct root *root);

/** Finds the dicts of interned strings: those of the interpreters from 3.12 on;
 * before, one that a static variable points to (Objects/unicodeobject.c,
 * `interned`). */
struct pyheap_error *roots_find_interned(struct pyheap *heap);
/** Whether the object at ADDRESS is one. */
static inline bool heap_is_interned_dict(const struct pyheap *heap,
                                         uint64_t address) {
  uint64_t place =
      SORTED_PLACE(0, heap->interned_count, i, heap->interned[i] < address);
  return place < heap->interned_count && heap->interned[place] == address;
}

/* refcount.c */

/** Adds up what the threads of each interpreter count.  Needs the roots. */
struct pyheap_error *refcount_sum_threads(struct pyheap *heap);
/** Whether the object at ADDRESS counts references in part only: those on the
 * stacks of functions are left to the collector. */
bool heap_refcount_deferred(const struct pyheap *heap, uint64_t address);
/** Whether the object at ADDRESS may be alive without a reference that counts:
 * deferred ones do not, and what other threads have given up is left to the
 * collection that goes on (Python/gc_free_threading.c, merge_queued_objects). */
bool heap_refcount_may_be_0(const struct pyheap *heap, uint64_t address);
/** The word that is the address of the next object when the one at ADDRESS is on
 * a list of garbage that a collection of a free-threaded build is about to free;
 * the list holds a reference to each (worklist_push there).  0 at the end. */
uint64_t heap_next_garbage(const struct pyheap *heap, uint64_t address);

/* object.c: one object. */

/** Takes references COUNT at a time. */
struct visit {
  const struct pyheap *heap;
  const struct object *object; /**< NULL for a root. */
  void (*flush)(struct visit *visit);
  void *context;
  struct problems *problems; /**< Or NULL. */
  bool demote; /**< The object has no tp_traverse: all is owned. */
  bool type_visited;
  bool uncounted; /**< ob_refcnt leaves out what follows. */
  bool stop;
  /** When not 0, what leads elsewhere may be left out; it is counted. */
  uint64_t only;
  bool one; /**< Only one does not, so that any place will do to begin with. */
  uint64_t left_out;
  size_t count;
  struct pyheap_reference references[128];
};

/** Notes where the object at ADDRESS is, for object_read(), and returns the range:
 * NULL when it cannot be read. */
static inline const struct memory_range *object_find(const struct pyheap *heap,
                                                     uint64_t address,
                                                     struct object *object) {
  const struct memory_range *range = memory_range_at(&heap->memory, address);
  object->address = address;
  object->bytes = range ? range->bytes + (address - range->start) : NULL;
  object->available = range ? range->reach - address : 0;
  return range;
}
/** Asks for its first lines: what a type puts before its objects is in one. */
static inline void object_prefetch_header(const struct object *object) {
  if (!object->bytes)
    return;
  __builtin_prefetch(object->bytes - 32);
  __builtin_prefetch(object->bytes + 32);
}
/** Reads the type of an object that was found, which must be one.  False when
 * that is none; then *why says in words what is wrong. */
bool object_read(const struct pyheap *heap, struct object *object,
                 const char **why);
/** Both: loads the object at ADDRESS. */
bool object_load(const struct pyheap *heap, uint64_t address,
                 struct object *object, const char **why);
/** Every reference of the object, visited ones first. */
void object_visit(struct visit *visit, const struct object *object);
/** Asks for the memory that visiting and measuring the object will read beside
 * its own. */
void object_prefetch(const struct pyheap *heap, const struct object *object);
/** As sys.getsizeof(); of an object whose sizes make no sense, the least that it
 * can be. */
uint64_t object_getsizeof(const struct pyheap *heap,
                          const struct object *object);
/** The same; false when the object's sizes make no sense. */
bool object_measure(const struct pyheap *heap, const struct object *object,
                    uint64_t *size);
/** The object's own memory, what stands before it included. */
void object_extent(const struct pyheap *heap, const struct object *object,
                   uint64_t *start, uint64_t *end);
bool object_is_tracked(const struct pyheap *heap, const struct object *object);
/** Whether the collector knows the object (PyObject_IS_GC). */
bool object_is_gc(const struct pyheap *heap, const struct object *object);

/* marks.c */
bool heap_is_marked(const struct pyheap *heap, uint64_t address);
/** The number of the object marked at ADDRESS. */
uint32_t heap_number(const struct pyheap *heap, uint64_t address);
uint64_t heap_number_address(const struct pyheap *heap, uint32_t number);
/** The address that bit BIT of the bitmap stands for. */
uint64_t heap_bit_address(const struct pyheap *heap, uint64_t bit);

/** gc_lists.c: sets the entries of the objects of one gc generation to its
 * number. */
void heap_walk_generation(const struct pyheap *heap, uint64_t interpreter,
                          int generation, int8_t *generations);

/* interpreters.c */

/** Lists the interpreters among the roots. */
struct pyheap_error *interpreters_list(struct pyheap *heap);
/** The index of the interpreter whose PyInterpreterState is at ADDRESS, else
 * PYHEAP_INTERPRETER_SHARED. */
int32_t interpreters_index(const struct pyheap *heap, uint64_t address);
/** Forgets whose the objects are: they have other numbers now. */
void interpreters_forget(struct pyheap *heap);

/** saved_index_read.c: takes a saved index out of the heap, before it closes. */
void saved_index_close(struct pyheap *heap);

/** index.c: forgets the index of references. */
void index_forget(struct pyheap *heap);
/** index.c: how many references from SOURCE to object TARGET the index has.
 * Needs it. */
uint32_t index_multiplicity(const struct pyheap *heap, uint32_t target,
                            uint32_t source);

/* heap.c */
const struct root *heap_root(const struct pyheap *heap, pyheap_node node);
/** Loads the object of a number; false for a root, and where memory is damaged. */
bool heap_load_node(const struct pyheap *heap, pyheap_node node,
                    struct object *object);
/** ob_refcnt; false, and *COUNT as it was, for an object whose count says
 * nothing. */
bool object_refcount_known(const struct pyheap *heap,
                           const struct object *object, int64_t *count);
/** ob_refcnt less the references found; false for an object whose count says
 * nothing.  Needs the index. */
bool heap_refcount_excess(const struct pyheap *heap, pyheap_node node,
                          int64_t *excess);

/** Whether the user wants to stop; tells how far the work is. */
bool heap_canceled(const struct pyheap *heap, const char *stage, uint64_t done,
                   uint64_t total);
struct pyheap_error *error_canceled(void);

/** Shares of long work, which the user can stop. */
struct heap_shares {
  const struct pyheap *heap;
  const char *stage; /**< As for heap_canceled(). */
  struct shares shares;
  bool canceled; /**< Then shares are left that nobody took. */
};
/** The next share START .. END-1 for a thread of parallel_run(), the first of
 * which asks whether to go on; false when there is none left, or canceled. */
bool heap_shares_take(struct heap_shares *work, unsigned thread,
                      uint64_t *start, uint64_t *end);

#endif
