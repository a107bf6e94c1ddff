/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which interpreter an object belongs to: the one on whose collector's lists it
 * is, or of whose threads the memory is where there are no lists, else the one
 * whose objects lead to it.
 *
 * Every object has an owner, a word of 16 bits that grows only: none, then one
 * interpreter, then shared.  So each object is visited twice at most, in any
 * order and by any number of threads, and the outcome is the same. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "heap.h"
#include "segments.h"

enum {
  OWNER_NONE = 0, /**< Then the interpreters, from 1 on. */
  OWNER_SHARED = 0x3fff,
  OWNER_VALUE = 0x3fff,
  OWNER_FAINT = 0x4000, /**< Found by what says less: see FAINT below. */
  OWNER_FIXED = 0x8000, /**< A list says so, or it is static. */
};
_Static_assert((int)MAX_INTERPRETERS < (int)OWNER_SHARED,
               "every interpreter is an owner");

enum {
  BATCH = 4096, /**< Objects a thread takes at a time. */
};

/** References say whose an object is in this order; what one has settled, the
 * next leaves alone. */
enum pass {
  PASS_CERTAIN, /**< What interpreters' objects and roots refer to. */
  PASS_FAINT,   /**< Guessed references, and tables of interned strings, which
                     interpreters may have in common. */
  PASS_STATIC,  /**< What only C variables hold: shared. */
  PASS_GARBAGE, /**< What nothing leads to is of those whose it refers to. */
};

/* The list ---------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b) {
  const struct pyheap_interpreter *left = a, *right = b;
  if (left->id != right->id)
    return left->id < right->id ? -1 : 1;
  return left->address < right->address ? -1 : left->address > right->address;
}

/** From 3.12 on (pycore_ceval_state.h, own_gil). */
static enum pyheap_gil gil_of(const struct pyheap *heap, uint64_t interpreter) {
  int32_t own_gil = OFFSET(heap->layout, PyInterpreterState, own_gil);
  if (own_gil < 0 || heap->layout->free_threaded)
    return PYHEAP_GIL_ONE;
  return (uint32_t)heap_word(heap, interpreter, own_gil) ? PYHEAP_GIL_OWN
                                                         : PYHEAP_GIL_SHARED;
}

struct pyheap_error *interpreters_list(struct pyheap *heap) {
  int32_t id = OFFSET(heap->layout, PyInterpreterState, id);
  uint32_t count = 0;

  heap->interpreters =
      calloc(heap->info.interpreters + 2, sizeof *heap->interpreters);
  if (!heap->interpreters)
    return &error_no_memory;
  for (size_t i = 0; i < heap->root_count; i++) {
    const struct root *root = &heap->roots[i];
    if (root->kind == PYHEAP_ROOT_INTERPRETER)
      heap->interpreters[count++] = (struct pyheap_interpreter){
          .id = (int64_t)heap_word(heap, root->address, id),
          .address = root->address,
          .gil = gil_of(heap, root->address)};
  }
  qsort(heap->interpreters, count, sizeof *heap->interpreters, compare_ids);
  for (size_t i = 0; i < heap->root_count; i++) {
    const struct root *root = &heap->roots[i];
    int32_t index = interpreters_index(heap, root->interpreter);
    if (root->kind == PYHEAP_ROOT_THREAD && index >= 0)
      heap->interpreters[index].threads++;
  }
  return NULL;
}

int32_t interpreters_index(const struct pyheap *heap, uint64_t address) {
  for (uint32_t i = 0; i < heap->info.interpreters; i++)
    if (heap->interpreters[i].address == address)
      return (int32_t)i;
  return PYHEAP_INTERPRETER_SHARED;
}

uint32_t pyheap_interpreter_count(const struct pyheap *heap) {
  return heap->info.interpreters;
}

/** Where the totals of INDEX are: behind the interpreters, those of what is
 * shared and of what is unknown. */
static size_t place_of(const struct pyheap *heap, int32_t index) {
  return index >= 0 ? (size_t)index
                    : heap->info.interpreters + (size_t)(-1 - index);
}

const struct pyheap_interpreter *pyheap_interpreter(const struct pyheap *heap,
                                                    int32_t index) {
  return &heap->interpreters[place_of(heap, index)];
}

/* Owners ------------------------------------------------------------------ */

struct numbers {
  uint32_t *list;
  size_t count, capacity;
};

/** What one thread needs. */
struct sweep {
  struct visit visit;
  uint16_t *owners;
  enum pass pass;
  uint16_t owner;          /**< Of what is being visited. */
  struct numbers stack;    /**< Objects that have got another owner. */
  struct numbers guessers; /**< Objects with guessed references. */
  bool guesses;            /**< What is being visited has such. */
  bool out_of_memory;
};

static void push(struct sweep *sweep, struct numbers *numbers,
                 uint32_t number) {
  if (numbers->count == numbers->capacity) {
    size_t capacity = numbers->capacity ? 2 * numbers->capacity : 1024;
    uint32_t *grown = reallocarray(numbers->list, capacity, sizeof *grown);
    if (!grown) {
      sweep->out_of_memory = true;
      return;
    }
    numbers->list = grown;
    numbers->capacity = capacity;
  }
  numbers->list[numbers->count++] = number;
}

/** What becomes of an object of owner OLD that is referred to by one of owner
 * BY, in a pass. */
static uint16_t join(enum pass pass, uint16_t old, uint16_t by) {
  uint16_t value = old & OWNER_VALUE, faint = 0;
  if (old & OWNER_FIXED || by == OWNER_NONE)
    return old;
  if (pass != PASS_CERTAIN) {
    faint = OWNER_FAINT;
    /* What C variables hold says nothing of what interpreters reach. */
    if (value && (pass >= PASS_STATIC || !(old & OWNER_FAINT)))
      return old;
  }
  if (!value || value == by)
    return by | faint;
  return OWNER_SHARED | faint;
}

static void own(struct sweep *sweep, uint32_t number) {
  uint16_t *owner = &sweep->owners[number];
  uint16_t old = __atomic_load_n(owner, __ATOMIC_RELAXED), new;
  do {
    new = join(sweep->pass, old, sweep->owner);
  } while (new != old &&
           !__atomic_compare_exchange_n(owner, &old, new, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  if (new != old)
    push(sweep, &sweep->stack, number);
}

static void own_referents(struct visit *visit) {
  struct sweep *sweep = visit->context;
  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    if (reference->kind == PYHEAP_PROBABLE && sweep->pass == PASS_CERTAIN) {
      sweep->guesses = true;
      continue;
    }
    uint32_t number = heap_number(visit->heap, reference->target);
    if (number != PYHEAP_NO_NODE)
      own(sweep, number);
  }
}

static void visit_object(struct sweep *sweep, uint32_t number) {
  const struct pyheap *heap = sweep->visit.heap;
  struct object object;
  const char *why;
  if (object_load(heap, heap_number_address(heap, number), &object, &why))
    object_visit(&sweep->visit, &object);
}

static void visit_number(struct sweep *sweep, uint32_t number) {
  const struct pyheap *heap = sweep->visit.heap;
  uint16_t owner = __atomic_load_n(&sweep->owners[number], __ATOMIC_RELAXED);

  /* The strings of these tables are those of who uses them. */
  if (sweep->pass == PASS_CERTAIN &&
      heap_is_interned_dict(heap, heap_number_address(heap, number)))
    return;
  sweep->owner = owner & OWNER_VALUE;
  sweep->guesses = false;
  visit_object(sweep, number);
  if (sweep->guesses)
    push(sweep, &sweep->guessers, number);
}

static void drain(struct sweep *sweep) {
  while (sweep->stack.count && !sweep->out_of_memory)
    visit_number(sweep, sweep->stack.list[--sweep->stack.count]);
}

static uint16_t owner_of_index(int32_t index) {
  return index < 0 ? OWNER_SHARED : (uint16_t)(index + 1);
}

static void visit_roots(struct sweep *sweep, bool statics) {
  const struct pyheap *heap = sweep->visit.heap;
  for (size_t i = 0; i < heap->root_count; i++) {
    const struct root *root = &heap->roots[i];
    if ((root->kind == PYHEAP_ROOT_RUNTIME) != statics)
      continue;
    sweep->owner = owner_of_index(interpreters_index(heap, root->interpreter));
    root_visit(&sweep->visit, root);
    drain(sweep);
  }
}

/* What is settled at once ------------------------------------------------- */

/** Whether tracked objects tell by their list whose they are: up to 3.8 all
 * interpreters have the same lists. */
static bool has_own_lists(const struct pyheap *heap) {
  return OFFSET(heap->layout, PyInterpreterState, gc) >= 0;
}

/** Marks what is on the list of HEAD as OWNER's, along the links at OFFSET;
 * true when the head came again. */
static bool own_list(const struct pyheap *heap, uint16_t *owners, uint64_t head,
                     int32_t offset, uint16_t owner) {
  static const uint64_t FLAGS = 3; /* The low bits of links. */
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  uint64_t node = heap_word(heap, head, offset) & ~FLAGS;

  while (node != head) {
    uint32_t number = heap_number(heap, node + header);
    if (number == PYHEAP_NO_NODE || owners[number])
      return false;
    owners[number] = owner | OWNER_FIXED;
    node = heap_word(heap, node, offset) & ~FLAGS;
  }
  return true;
}

/** Work of several threads, each of which writes owners that no other does. */
struct owning {
  const struct pyheap *heap;
  uint16_t *owners;
  struct segments segments; /**< For own_tracked() alone. */
  struct shares shares;     /**< Of the objects. */
};

enum {
  GENERATIONS = 4
};

/** Marks what is on one of all interpreters' lists. */
static void own_generation(void *context, uint64_t list) {
  struct owning *owning = context;
  const struct pyheap *heap = owning->heap;
  uint32_t index = (uint32_t)(list / GENERATIONS);
  uint16_t owner = owner_of_index((int32_t)index);
  uint64_t head = runtime_generation(heap, heap->interpreters[index].address,
                                     (int)(list % GENERATIONS));

  if (head && !own_list(heap, owning->owners, head,
                        OFFSET(heap->layout, PyGC_Head, _gc_next), owner))
    own_list(heap, owning->owners, head,
             OFFSET(heap->layout, PyGC_Head, _gc_prev), owner);
}

static void own_lists(const struct pyheap *heap, uint16_t *owners) {
  struct owning owning = {.heap = heap, .owners = owners};

  parallel_each(heap->threads, (uint64_t)heap->info.interpreters * GENERATIONS,
                own_generation, &owning);
}

static void own_tracked_shares(void *context, unsigned thread) {
  struct owning *owning = context;
  const struct pyheap *heap = owning->heap;
  uint64_t start, end;
  size_t hint = 0;

  (void)thread;
  while (shares_take(&owning->shares, &start, &end))
    for (uint32_t number = (uint32_t)start; number < end; number++) {
      uint64_t address = heap_number_address(heap, number);
      int32_t index = segments_interpreter(&owning->segments, address, &hint);
      struct object object;
      const char *why;
      if (index >= 0 && object_load(heap, address, &object, &why) &&
          object_is_tracked(heap, &object))
        owning->owners[number] = owner_of_index(index) | OWNER_FIXED;
    }
}

/** Marks what free-threaded builds track as of whose memory it is in. */
static struct pyheap_error *own_tracked(const struct pyheap *heap,
                                        uint16_t *owners) {
  struct owning owning = {.heap = heap,
                          .owners = owners,
                          .shares = {.end = heap->object_count, .size = BATCH}};

  TRY(segments_find(heap, &owning.segments));
  parallel_run(heap->threads, own_tracked_shares, &owning);
  segments_deinit(&owning.segments);
  return NULL;
}

/** Settles that the object at ADDRESS is of an interpreter, or shared when
 * another has it too. */
static void settle(const struct pyheap *heap, uint16_t *owners,
                   uint64_t address, uint16_t owner) {
  uint32_t number = heap_number(heap, address);
  if (number != PYHEAP_NO_NODE)
    owners[number] =
        join(PASS_CERTAIN, owners[number] & OWNER_VALUE, owner) | OWNER_FIXED;
}

/** Settles whose the modules are that the dict at MODULES lists, and what these
 * define. */
static void own_listed(const struct pyheap *heap, uint16_t *owners,
                       uint64_t modules, uint16_t owner) {
  int32_t md_dict = OFFSET(heap->layout, PyModuleObject, md_dict);
  uint64_t position = 0, key, value;
  struct dict dict;

  if (!dict_open(heap, modules, &dict))
    return;
  while (dict_next(&dict, &position, &key, &value)) {
    struct object object;
    const char *why;
    if (!object_load(heap, value, &object, &why) || !object.type->known ||
        object.type->known->kind != KIND_MODULE)
      continue;
    settle(heap, owners, value, owner);
    settle(heap, owners, object_field(&object, md_dict), owner);
  }
}

/** Where no lists tell, modules do: each interpreter has its own.  They are
 * borders, for what interpreters share, such as the functions of builtins,
 * refers to the modules of the first. */
static void own_modules(const struct pyheap *heap, uint16_t *owners) {
  static const enum fact members[] = {
      FACT_PyInterpreterState__modules, FACT_PyInterpreterState__sysdict,
      FACT_PyInterpreterState__builtins, FACT_PyInterpreterState__importlib};
  for (uint32_t i = 0; i < heap->info.interpreters; i++) {
    uint64_t interpreter = heap->interpreters[i].address;
    uint16_t owner = owner_of_index((int32_t)i);
    for (size_t j = 0; j < sizeof members / sizeof *members; j++)
      settle(heap, owners,
             heap_word(heap, interpreter, heap->layout->facts[members[j]]),
             owner);
    own_listed(heap, owners,
               heap_word(heap, interpreter, heap->layout->facts[members[0]]),
               owner);
  }
}

static void own_static_shares(void *context, unsigned thread) {
  struct owning *owning = context;
  const struct pyheap *heap = owning->heap;
  uint64_t start, end;

  (void)thread;
  while (shares_take(&owning->shares, &start, &end))
    for (uint32_t number = (uint32_t)start; number < end; number++) {
      const struct memory_range *range =
          memory_range_at(&heap->memory, heap_number_address(heap, number));
      if (!owning->owners[number] && range->flags & MEMORY_FILE)
        owning->owners[number] = OWNER_SHARED | OWNER_FIXED;
    }
}

/** Static objects are all interpreters'. */
static void own_statics(const struct pyheap *heap, uint16_t *owners) {
  struct owning owning = {.heap = heap,
                          .owners = owners,
                          .shares = {.end = heap->object_count, .size = BATCH}};

  parallel_run(heap->threads, own_static_shares, &owning);
}

/** The number of an interpreter's table of interned strings: from 3.12 on each
 * has its own, but for those that share the main one's memory. */
static uint32_t interned_number(const struct pyheap *heap, uint32_t index) {
  int32_t offset = OFFSET(heap->layout, PyInterpreterState, interned_strings);
  return offset < 0
             ? PYHEAP_NO_NODE
             : heap_number(
                   heap,
                   heap_word(heap, heap->interpreters[index].address, offset));
}

/* The sweep --------------------------------------------------------------- */

struct sweeping {
  struct sweep *sweeps; /**< By thread. */
  const uint16_t *owners;
  struct heap_shares shares;
};

static void sweep_shares(void *context, unsigned thread) {
  struct sweeping *sweeping = context;
  struct sweep *sweep = &sweeping->sweeps[thread];
  uint64_t start, end;

  while (!sweep->out_of_memory &&
         heap_shares_take(&sweeping->shares, thread, &start, &end))
    for (uint32_t number = (uint32_t)start; number < end; number++) {
      uint16_t owner =
          __atomic_load_n(&sweeping->owners[number], __ATOMIC_RELAXED);
      if (!(owner & OWNER_FIXED) || !(owner & OWNER_VALUE))
        continue;
      visit_number(sweep, number);
      drain(sweep);
    }
}

/** Visits all that has an owner from the start, and what gets one from there,
 * in parallel; false when canceled. */
static bool sweep_settled(const struct pyheap *heap, struct sweep *sweeps,
                          const uint16_t *owners) {
  struct sweeping sweeping = {
      .sweeps = sweeps,
      .owners = owners,
      .shares = {.heap = heap,
                 .stage = "telling interpreters apart",
                 .shares = {.end = heap->object_count, .size = BATCH}}};

  parallel_run(heap->threads, sweep_shares, &sweeping);
  return !sweeping.shares.canceled;
}

/** What only guessed references and tables of interned strings lead to. */
static void sweep_faint(const struct pyheap *heap, struct sweep *sweeps) {
  struct sweep *sweep = &sweeps[0];
  sweep->pass = PASS_FAINT;
  for (unsigned t = 0; t < heap->threads; t++) {
    /* Visiting adds no more: guessed references are followed now. */
    for (size_t i = 0; i < sweeps[t].guessers.count; i++) {
      visit_number(sweep, sweeps[t].guessers.list[i]);
      drain(sweep);
    }
  }
  visit_roots(sweep, false);
  for (uint32_t i = 0; i < heap->info.interpreters; i++) {
    uint32_t number = interned_number(heap, i);
    if (number == PYHEAP_NO_NODE)
      continue;
    sweep->owner = owner_of_index((int32_t)i);
    visit_object(sweep, number);
    drain(sweep);
  }
}

/** What only C variables hold, the one table of interned strings of versions
 * before 3.12 included. */
static void sweep_statics(struct sweep *sweep) {
  sweep->pass = PASS_STATIC;
  visit_roots(sweep, true);
}

/** Gathers whose the referents are that are one interpreter's. */
static void ask_referents(struct visit *visit) {
  struct sweep *sweep = visit->context;
  for (size_t i = 0; i < visit->count; i++) {
    uint32_t number = heap_number(visit->heap, visit->references[i].target);
    uint16_t owner = number == PYHEAP_NO_NODE
                         ? OWNER_NONE
                         : sweep->owners[number] & OWNER_VALUE;
    if (visit->references[i].kind != PYHEAP_PROBABLE && owner != OWNER_SHARED)
      sweep->owner = join(PASS_CERTAIN, sweep->owner, owner);
  }
}

/** Gives the object NUMBER, which nothing leads to, the owner of what it refers
 * to, and what it leads to alone; true when it has one now. */
static bool adopt(struct sweep *sweep, uint32_t number) {
  sweep->visit.flush = ask_referents;
  sweep->owner = OWNER_NONE;
  visit_object(sweep, number);
  sweep->visit.flush = own_referents;
  if (!sweep->owner)
    return false;
  sweep->owners[number] = sweep->owner | OWNER_FAINT;
  visit_number(sweep, number);
  drain(sweep);
  return true;
}

/** What nothing leads to: garbage where no lists tell, and orphans.  Of a cycle
 * some refer to nothing but the others, whose owner is known a round later. */
static void sweep_garbage(const struct pyheap *heap, struct sweep *sweep) {
  enum {
    ROUNDS = 16
  };
  bool more = true;

  sweep->pass = PASS_GARBAGE;
  for (int round = 0; more && round < ROUNDS; round++) {
    more = false;
    for (uint32_t number = 0; number < heap->object_count; number++)
      if (!sweep->owners[number])
        more |= adopt(sweep, number);
  }
}

static struct pyheap_error *
find_owners(const struct pyheap *heap, struct sweep *sweeps, uint16_t *owners) {
  for (unsigned t = 0; t < heap->threads; t++) {
    sweeps[t].visit.heap = heap;
    sweeps[t].visit.flush = own_referents;
    sweeps[t].visit.context = &sweeps[t];
    sweeps[t].owners = owners;
  }
  if (heap->layout->free_threaded)
    TRY(own_tracked(heap, owners));
  else if (has_own_lists(heap))
    own_lists(heap, owners);
  else
    own_modules(heap, owners);
  own_statics(heap, owners);
  if (!sweep_settled(heap, sweeps, owners))
    return error_canceled();
  visit_roots(&sweeps[0], false);
  sweep_faint(heap, sweeps);
  sweep_statics(&sweeps[0]);
  sweep_garbage(heap, &sweeps[0]);
  for (unsigned t = 0; t < heap->threads; t++)
    if (sweeps[t].out_of_memory)
      return &error_no_memory;
  return NULL;
}

/* Answers ----------------------------------------------------------------- */

static int32_t index_of_owner(uint16_t owner) {
  uint16_t value = owner & OWNER_VALUE;
  return value == OWNER_NONE     ? PYHEAP_INTERPRETER_UNKNOWN
         : value == OWNER_SHARED ? PYHEAP_INTERPRETER_SHARED
                                 : value - 1;
}

static void count_object(const struct pyheap *heap, uint32_t number,
                         struct pyheap_interpreter *totals) {
  int32_t index = heap->owners ? index_of_owner(heap->owners[number]) : 0;
  struct object object;
  const char *why;
  if (!object_load(heap, heap_number_address(heap, number), &object, &why))
    return;
  struct pyheap_interpreter *total = &totals[place_of(heap, index)];
  total->objects++;
  total->bytes += object_getsizeof(heap, &object);
  total->tracked += object_is_tracked(heap, &object);
}

struct counting {
  const struct pyheap *heap;
  struct pyheap_interpreter *totals; /**< PLACES for each thread. */
  size_t places;
  struct shares shares;
};

static void count_shares(void *context, unsigned thread) {
  struct counting *counting = context;
  uint64_t start, end;

  while (shares_take(&counting->shares, &start, &end))
    for (uint32_t number = (uint32_t)start; number < end; number++)
      count_object(counting->heap, number,
                   counting->totals + counting->places * thread);
}

static struct pyheap_error *count_objects(struct pyheap *heap) {
  size_t places = (size_t)heap->info.interpreters + 2;
  struct pyheap_interpreter *totals =
      calloc(places * heap->threads, sizeof *totals);
  if (!totals)
    return &error_no_memory;
  struct counting counting = {
      heap, totals, places, {.end = heap->object_count, .size = BATCH}};
  parallel_run(heap->threads, count_shares, &counting);
  for (size_t i = 0; i < places; i++) {
    struct pyheap_interpreter *sum = &heap->interpreters[i];
    sum->objects = sum->bytes = sum->tracked = 0;
    for (unsigned t = 0; t < heap->threads; t++) {
      const struct pyheap_interpreter *part = &totals[places * t + i];
      sum->objects += part->objects;
      sum->bytes += part->bytes;
      sum->tracked += part->tracked;
    }
  }
  free(totals);
  return NULL;
}

struct pyheap_error *pyheap_find_interpreters(struct pyheap *heap) {
  struct pyheap_error *error = NULL;

  TRY(pyheap_find_objects(heap));
  if (heap->interpreters_found)
    return NULL;
  if (heap->info.interpreters > 1) {
    uint16_t *owners = calloc(heap->object_count + 1ull, sizeof *owners);
    struct sweep *sweeps = calloc(heap->threads, sizeof *sweeps);
    error =
        owners && sweeps ? find_owners(heap, sweeps, owners) : &error_no_memory;
    for (unsigned t = 0; sweeps && t < heap->threads; t++) {
      free(sweeps[t].stack.list);
      free(sweeps[t].guessers.list);
    }
    free(sweeps);
    if (error) {
      free(owners);
      return error;
    }
    heap->owners = owners;
  }
  error = count_objects(heap);
  if (error) {
    interpreters_forget(heap);
    return error;
  }
  heap->interpreters_found = true;
  return NULL;
}

void interpreters_forget(struct pyheap *heap) {
  free(take(heap->owners));
  heap->interpreters_found = false;
}

int32_t pyheap_interpreter_of(const struct pyheap *heap, pyheap_node node) {
  if (heap->info.interpreters == 1)
    return 0;
  if (pyheap_is_root(heap, node))
    return interpreters_index(heap, heap_root(heap, node)->interpreter);
  if (!heap->owners || node >= heap->object_count)
    return PYHEAP_INTERPRETER_UNKNOWN;
  return index_of_owner(heap->owners[node]);
}
