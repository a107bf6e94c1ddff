/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the roots refer to. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "c_stack.h"
#include "dict.h"
#include "heap.h"
#include "known_frames.h"
#include "static_tables.h"

struct root_member {
  uint16_t fact;
  const char *name;
};

#define MEMBER(structure, member, name)                                        \
  { FACT_##structure##__##member, name }

/** Pointers to objects that an interpreter owns (pycore_interp.h of 3.11). */
static const struct root_member interpreter_members[] = {
    MEMBER(PyInterpreterState, modules, "sys.modules"),
    MEMBER(PyInterpreterState, modules_by_index, "modules by index"),
    MEMBER(PyInterpreterState, sysdict, "sys.__dict__"),
    MEMBER(PyInterpreterState, sysdict_copy, "copy of sys.__dict__"),
    MEMBER(PyInterpreterState, builtins, "builtins.__dict__"),
    MEMBER(PyInterpreterState, builtins_copy, "copy of builtins.__dict__"),
    MEMBER(PyInterpreterState, importlib, "importlib"),
    MEMBER(PyInterpreterState, import_func, "__import__"),
    MEMBER(PyInterpreterState, codec_search_path, "codec search path"),
    MEMBER(PyInterpreterState, codec_search_cache, "codec cache"),
    MEMBER(PyInterpreterState, codec_error_registry, "codec error handlers"),
    MEMBER(PyInterpreterState, dict, "PyInterpreterState_GetDict()"),
    MEMBER(PyInterpreterState, before_forkers, "before fork handlers"),
    MEMBER(PyInterpreterState, after_forkers_parent, "fork handlers (parent)"),
    MEMBER(PyInterpreterState, after_forkers_child, "fork handlers (child)"),
    MEMBER(PyInterpreterState, warnings_filters, "warnings.filters"),
    MEMBER(PyInterpreterState, warnings_once_registry, "warnings registry"),
    MEMBER(PyInterpreterState, warnings_default_action, "warnings default"),
    MEMBER(PyInterpreterState, audit_hooks, "audit hooks"),
    MEMBER(PyInterpreterState, errnomap, "map of errno to exceptions"),
    MEMBER(PyInterpreterState, exception_group, "ExceptionGroup"),
    MEMBER(PyInterpreterState, interned_strings, "interned strings"),
    MEMBER(PyInterpreterState, not_shareable_error, "NotShareableError"),
    MEMBER(PyInterpreterState, warnings_context, "warnings context"),
    MEMBER(PyInterpreterState, lazy_import_func, "__lazy_import__"),
    MEMBER(PyInterpreterState, lazy_imports_filter, "filter of lazy imports"),
    MEMBER(PyInterpreterState, lazy_modules, "lazy modules"),
    MEMBER(PyInterpreterState, lazy_pending_submodules, "lazy submodules"),
    MEMBER(PyInterpreterState, str_replace_inf, "str for infinity"),
    MEMBER(PyInterpreterState, generic_type, "typing.Generic"),
    MEMBER(PyInterpreterState, typevar_type, "typing.TypeVar"),
    MEMBER(PyInterpreterState, typevartuple_type, "typing.TypeVarTuple"),
    MEMBER(PyInterpreterState, paramspec_type, "typing.ParamSpec"),
    MEMBER(PyInterpreterState, paramspecargs_type, "typing.ParamSpecArgs"),
    MEMBER(PyInterpreterState, paramspeckwargs_type, "typing.ParamSpecKwargs"),
    MEMBER(PyInterpreterState, constevaluator_type, "constant evaluator"),
    MEMBER(PyInterpreterState, dict_descriptor, "descriptor of __dict__"),
    MEMBER(PyInterpreterState, weakref_descriptor, "descriptor of __weakref__"),
};

static const struct root_member gc_members[] = {
    MEMBER(_gc_runtime_state, garbage, "gc.garbage"),
    MEMBER(_gc_runtime_state, callbacks, "gc.callbacks"),
};

/** Pointers to objects that a thread owns (Include/cpython/pystate.h). */
static const struct root_member thread_members[] = {
    MEMBER(PyThreadState, dict, "PyThreadState_GetDict()"),
    MEMBER(PyThreadState, c_profileobj, "profile function"),
    MEMBER(PyThreadState, c_traceobj, "trace function"),
    MEMBER(PyThreadState, curexc_type, "type of the exception being raised"),
    MEMBER(PyThreadState, curexc_value, "exception being raised"),
    MEMBER(PyThreadState, curexc_traceback, "traceback being raised"),
    MEMBER(PyThreadState, async_exc, "asynchronous exception"),
    MEMBER(PyThreadState, async_gen_firstiter, "async generator hook"),
    MEMBER(PyThreadState, async_gen_finalizer, "async generator finalizer"),
    MEMBER(PyThreadState, context, "context"),
    MEMBER(PyThreadState, current_exception, "exception being raised"),
    /* A weak reference to the lock that Thread.join() waits for
     * (Modules/_threadmodule.c, thread__set_sentinel). */
    MEMBER(PyThreadState, on_delete_data, "lock released at the end"),
    MEMBER(PyThreadState, threading_local_key, "key of thread-local data"),
    MEMBER(PyThreadState, threading_local_sentinel, "end of the thread"),
    MEMBER(PyThreadState, asyncio_running_loop, "running event loop"),
    MEMBER(PyThreadState, asyncio_running_task, "running task"),
};

/** The exception being handled; one pointer since 3.11. */
static const struct root_member exception_members[] = {
    MEMBER(_PyErr_StackItem, exc_type, "type of the exception being handled"),
    MEMBER(_PyErr_StackItem, exc_value, "exception being handled"),
    MEMBER(_PyErr_StackItem, exc_traceback,
           "traceback of the exception being handled"),
};

static void visit_table(struct visit *visit, uint64_t address,
                        const struct root_member *members, size_t count) {
  const struct layout *layout = visit->heap->layout;
  for (size_t i = 0; i < count; i++)
    visit_named(visit,
                heap_word(visit->heap, address, layout->facts[members[i].fact]),
                PYHEAP_OWNED, members[i].name);
}

#define VISIT_TABLE(visit, address, table)                                     \
  visit_table((visit), (address), (table), sizeof(table) / sizeof *(table))

/** COUNT pointers at ADDRESS, all of one name. */
static void visit_pointers(struct visit *visit, uint64_t address,
                           uint64_t count, const char *name) {
  const uint8_t *bytes =
      count > 1 << 24 ? NULL
                      : memory_at(&visit->heap->memory, address, 8 * count);
  for (uint64_t i = 0; bytes && i < count; i++)
    visit_named(visit, load_u64(bytes + 8 * i), PYHEAP_OWNED, name);
}

/** What was registered with atexit: an array of pointers to callbacks, since
 * 3.14 a list (pycore_interp_structs.h, struct atexit_state). */
static void visit_atexit(struct visit *visit, uint64_t interpreter) {
  const struct pyheap *heap = visit->heap;
  const struct layout *layout = heap->layout;
  uint64_t array = heap_word(
      heap, interpreter, OFFSET(layout, PyInterpreterState, atexit_callbacks));
  if (OFFSET(layout, PyInterpreterState, atexit_ncallbacks) == FACT_ABSENT) {
    visit_named(visit, array, PYHEAP_OWNED, "atexit callbacks");
    return;
  }
  uint64_t count = (uint32_t)heap_word(
      heap, interpreter, OFFSET(layout, PyInterpreterState, atexit_ncallbacks));
  const uint8_t *callbacks =
      count > 1 << 24 ? NULL : memory_at(&heap->memory, array, 8 * count);
  for (uint64_t i = 0; callbacks && i < count; i++) {
    uint64_t callback = load_u64(callbacks + 8 * i);
    if (!callback)
      continue;
    visit_named(
        visit, heap_word(heap, callback, OFFSET(layout, atexit_callback, func)),
        PYHEAP_OWNED, "atexit function");
    visit_named(
        visit, heap_word(heap, callback, OFFSET(layout, atexit_callback, args)),
        PYHEAP_OWNED, "atexit arguments");
    visit_named(
        visit,
        heap_word(heap, callback, OFFSET(layout, atexit_callback, kwargs)),
        PYHEAP_OWNED, "atexit keyword arguments");
  }
}

/** The types, singletons and strings of the module ast: struct ast_state, all
 * pointers from AST_type to its end (pycore_ast_state.h). */
static void visit_ast(struct visit *visit, uint64_t interpreter) {
  const struct layout *layout = visit->heap->layout;
  int32_t start = OFFSET(layout, PyInterpreterState, ast);
  int32_t first = OFFSET(layout, PyInterpreterState, ast_AST_type);
  if (first < 0)
    return;
  uint64_t count = (uint64_t)(start + SIZEOF(layout, ast_state) - first) / 8;
  visit_pointers(visit, interpreter + (uint64_t)first, count, "ast state");
}

/** Names in the cache of attribute look-ups (Objects/typeobject.c,
 * assign_version_tag and _PyType_Lookup own them). */
static void visit_type_cache(struct visit *visit, uint64_t interpreter) {
  const struct layout *layout = visit->heap->layout;
  int32_t cache = OFFSET(layout, PyInterpreterState, type_cache);
  int32_t name = OFFSET(layout, type_cache_entry, name);
  int32_t size = SIZEOF(layout, type_cache_entry);
  if (cache < 0 || name < 0)
    return;
  int32_t count = OFFSET(layout, PyInterpreterState, type_cache_size) / size;
  for (int32_t i = 0; i < count; i++)
    visit_named(visit,
                heap_word(visit->heap, interpreter, cache + i * size + name),
                PYHEAP_OWNED, "cache of attribute names");
}

/** What an interpreter has of static types (3.12 and later): an array at
 * STATES of as many states as the word at COUNT says
 * (pycore_typeobject.h, managed_static_type_state). */
static void visit_static_types(struct visit *visit, uint64_t interpreter,
                               int32_t count, int32_t states) {
  enum {
    MOST = 1 << 10
  };
  const struct layout *layout = visit->heap->layout;
  uint64_t number = heap_word(visit->heap, interpreter, count);
  if (count < 0 || number > MOST)
    return;
  for (uint64_t i = 0; i < number; i++) {
    uint64_t state = interpreter + (uint64_t)states +
                     i * (uint64_t)OFFSET(layout, static_type_state, size);
    visit_named(visit,
                heap_word(visit->heap, state,
                          OFFSET(layout, static_type_state, tp_dict)),
                PYHEAP_OWNED, "__dict__ of a static type");
    visit_named(visit,
                heap_word(visit->heap, state,
                          OFFSET(layout, static_type_state, tp_subclasses)),
                PYHEAP_OWNED, "subclasses of a static type");
  }
}

/** What tools of sys.monitoring registered, from 3.12 on: functions by tool and
 * event, and right behind them the tools' names (pycore_interp.h). */
static void visit_monitoring(struct visit *visit, uint64_t interpreter) {
  enum {
    TOOLS = 8
  };
  const struct layout *layout = visit->heap->layout;
  int32_t functions = OFFSET(layout, PyInterpreterState, monitoring_callables);
  int32_t names = OFFSET(layout, PyInterpreterState, monitoring_tool_names);
  if (functions == FACT_ABSENT || names < functions)
    return;
  visit_pointers(visit, interpreter + (uint64_t)functions,
                 (uint64_t)(names - functions) / 8, "sys.monitoring function");
  visit_pointers(visit, interpreter + (uint64_t)names, TOOLS,
                 "name of a sys.monitoring tool");
}

/** Objects made once, which 3.9 and 3.10 point to from the interpreter
 * (pycore_interp.h). */
static void visit_singletons(struct visit *visit, uint64_t interpreter) {
  static const struct {
    enum fact fact;
    uint16_t count;
    const char *name;
  } arrays[] = {
      {FACT_PyInterpreterState__small_ints, 262, "small int"},
      {FACT_PyInterpreterState__bytes_empty, 1, "empty bytes"},
      {FACT_PyInterpreterState__bytes_characters, 256, "bytes of one byte"},
      {FACT_PyInterpreterState__unicode_empty, 1, "empty str"},
      {FACT_PyInterpreterState__unicode_latin1, 256, "str of one character"},
  };
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    int32_t offset = visit->heap->layout->facts[arrays[i].fact];
    if (offset != FACT_ABSENT)
      visit_pointers(visit, interpreter + (uint64_t)offset, arrays[i].count,
                     arrays[i].name);
  }
}

/** The constants of all code, in free-threaded builds: the keys of a
 * _Py_hashtable_t (Objects/codeobject.c, intern_one_constant). */
static void visit_constants(struct visit *visit, uint64_t interpreter) {
  enum {
    MOST = 1 << 24
  };
  const struct pyheap *heap = visit->heap;
  const struct layout *layout = heap->layout;
  uint64_t table = heap_word(
      heap, interpreter, OFFSET(layout, PyInterpreterState, code_constants));
  if (!table)
    return;
  uint64_t left =
      heap_word(heap, table, OFFSET(layout, _Py_hashtable_t, nentries));
  uint64_t count =
      heap_word(heap, table, OFFSET(layout, _Py_hashtable_t, nbuckets));
  uint64_t buckets =
      heap_word(heap, table, OFFSET(layout, _Py_hashtable_t, buckets));
  const uint8_t *bytes = count <= MOST && left <= MOST
                             ? heap_memory(heap, buckets, 8 * count)
                             : NULL;
  if (!bytes) {
    visit_problem(visit, "tables of constants that cannot be read", table);
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    for (uint64_t entry = load_u64(bytes + 8 * i); entry && left; left--) {
      visit_named(
          visit,
          heap_word(heap, entry, OFFSET(layout, _Py_hashtable_entry_t, key)),
          PYHEAP_OWNED, "constant of code");
      entry =
          heap_word(heap, entry, OFFSET(layout, _Py_hashtable_entry_t, next));
    }
}

static void visit_interpreter(struct visit *visit, uint64_t interpreter) {
  const struct layout *layout = visit->heap->layout;
  VISIT_TABLE(visit, interpreter, interpreter_members);
  for (size_t i = 0; i < sizeof gc_members / sizeof *gc_members; i++)
    visit_named(visit,
                runtime_gc_member(visit->heap, interpreter,
                                  layout->facts[gc_members[i].fact]),
                PYHEAP_OWNED, gc_members[i].name);
  visit_static_types(visit, interpreter,
                     OFFSET(layout, PyInterpreterState, static_type_count),
                     OFFSET(layout, PyInterpreterState, static_types));
  visit_static_types(visit, interpreter,
                     OFFSET(layout, PyInterpreterState, extension_type_count),
                     OFFSET(layout, PyInterpreterState, extension_types));
  visit_atexit(visit, interpreter);
  visit_ast(visit, interpreter);
  visit_type_cache(visit, interpreter);
  visit_pointers(
      visit,
      heap_word(visit->heap, interpreter,
                OFFSET(layout, PyInterpreterState, unicode_ids_array)),
      heap_word(visit->heap, interpreter,
                OFFSET(layout, PyInterpreterState, unicode_ids_size)),
      "_Py_IDENTIFIER string");
  visit_constants(visit, interpreter);
  visit_singletons(visit, interpreter);
  visit_monitoring(visit, interpreter);
}

/** A stack of objects in chunks, the newest first, each with a reference
 * (pycore_object_stack.h; Python/brc.c). */
static void visit_object_stack(struct visit *visit, uint64_t chunk) {
  enum {
    MOST = 254,
    CHUNKS = 1 << 20
  };
  const struct pyheap *heap = visit->heap;
  const struct layout *layout = heap->layout;
  for (int i = 0; chunk && i < CHUNKS; i++) {
    uint64_t count = heap_word(heap, chunk, OFFSET(layout, object_stack, n));
    if (count > MOST) {
      visit_problem(visit, "queues of threads that make no sense", chunk);
      return;
    }
    visit_pointers(visit, chunk + (uint64_t)OFFSET(layout, object_stack, objs),
                   count, "given up by another thread");
    chunk = heap_word(heap, chunk, OFFSET(layout, object_stack, prev));
  }
}

static void visit_thread(struct visit *visit, uint64_t thread) {
  const struct layout *layout = visit->heap->layout;
  VISIT_TABLE(visit, thread, thread_members);
  visit_object_stack(
      visit, heap_word(visit->heap, thread,
                       OFFSET(layout, PyThreadState, objects_to_merge)));
  visit_object_stack(
      visit, heap_word(visit->heap, thread,
                       OFFSET(layout, PyThreadState, local_objects_to_merge)));
  /* The other items of the stack that exc_info points to are in generators,
   * which report them. */
  uint64_t item = thread + (uint64_t)OFFSET(layout, PyThreadState, exc_state);
  VISIT_TABLE(visit, item, exception_members);
}

/* What the program's static memory holds ----------------------------------- */

/** Whether the object at ADDRESS is a type that no class statement and no
 * PyType_Spec made, and is immortal.  C code points to such types everywhere;
 * where they have a count, that tells which pointers own them (the PyExc_*
 * variables do up to 3.10). */
static bool is_immortal_type(const struct pyheap *heap, uint64_t address) {
  struct object object;
  const char *why;
  return object_load(heap, address, &object, &why) &&
         (object.type->flags & TPFLAGS_TYPE_SUBCLASS) &&
         !object_is_gc(heap, &object) && heap_refcount(heap, address) < 0;
}

/** Where in the runtime its main interpreter begins, which is the last of it from
 * 3.11 on and tells itself what it refers to. */
static uint64_t end_of_own_runtime(const struct pyheap *heap) {
  uint64_t end = heap->runtime + (uint64_t)SIZEOF(heap->layout, pyruntimestate);
  for (size_t i = 0; i < heap->root_count; i++) {
    const struct root *root = &heap->roots[i];
    if (root->kind == PYHEAP_ROOT_INTERPRETER && root->address < end &&
        root->address > heap->runtime)
      end = root->address;
  }
  return end;
}

/** The word TARGET at ADDRESS in an area, which may be an object's address. */
static void visit_variable(struct visit *visit, size_t area, uint64_t address,
                           uint64_t target) {
  const char *name;
  if (!target || !heap_is_object(visit->heap, target) ||
      is_immortal_type(visit->heap, target))
    return;
  switch (static_tables_word(visit->heap, area, address, target, &name)) {
  case STATIC_OWNED:
    visit_named(visit, target, PYHEAP_OWNED, name);
    return;
  case STATIC_BORROWED:
    return;
  case STATIC_UNKNOWN:
    visit_reference(visit, target, PYHEAP_PROBABLE, PYHEAP_NAME_STATIC,
                    address);
  }
}

/** C variables of the program and its libraries: words that are addresses of
 * objects.  The runtime is one: it holds the handlers of signals from 3.12 on
 * (pycore_signal.h).  Bytes of static objects themselves, whose references are
 * known, are passed over. */
static void scan_static(struct visit *visit, size_t number) {
  const struct pyheap *heap = visit->heap;
  const struct memory_static *area = &heap->memory.statics[number];
  uint64_t runtime_end =
      heap->runtime + (uint64_t)SIZEOF(heap->layout, pyruntimestate);
  uint64_t interpreter = end_of_own_runtime(heap);
  uint64_t address = area->start;

  while (address + 8 <= area->end) {
    uint64_t available = 0;
    const uint8_t *bytes = memory_available(&heap->memory, address, &available);
    bool in_runtime = address >= heap->runtime && address < runtime_end;
    if (in_runtime && address >= interpreter) {
      address = runtime_end;
      continue;
    }
    if (!bytes || available < 8) {
      address += 8;
      continue;
    }
    if (heap_is_marked(heap, address)) {
      struct object object;
      const char *why;
      if (!in_runtime)
        visit_named(visit, address, PYHEAP_OWNED, "static object");
      if (object_load(heap, address, &object, &why)) {
        uint64_t start, end;
        object_extent(heap, &object, &start, &end);
        address = (end + 7) & ~7ull;
        continue;
      }
    }
    visit_variable(visit, number, address, load_u64(bytes));
    address += 8;
  }
}

/** Whether the object at ADDRESS is a dict in which strings stand for
 * themselves. */
static bool maps_to_itself(const struct pyheap *heap, uint64_t address) {
  enum {
    ENOUGH = 64
  };
  struct object object;
  struct dict dict;
  const char *why;
  uint64_t position = 0, key, value, seen = 0;

  if (!heap_is_object(heap, address) ||
      !object_load(heap, address, &object, &why) || !object.type->known ||
      object.type->known->kind != KIND_DICT || !dict_open(heap, address, &dict))
    return false;
  for (; dict_next(&dict, &position, &key, &value); seen++)
    if (key != value)
      return false;
  return seen >= ENOUGH;
}

/** The address of the type `dict`: that of the dict of `type`. */
static uint64_t find_dict_type(const struct pyheap *heap) {
  uint64_t dict = heap_word(heap, heap->types.type_type,
                            OFFSET(heap->layout, PyTypeObject, tp_dict));
  return heap_word(heap, dict, OFFSET(heap->layout, PyObject, ob_type));
}

/** Whether ADDRESS is in memory that a file is mapped to. */
static bool is_of_file(const struct pyheap *heap, uint64_t address) {
  const struct memory_range *range = memory_range_at(&heap->memory, address);
  return range && (range->flags & MEMORY_FILE);
}

/** The dict of interned strings that a variable in AREA points to, or 0. */
static uint64_t find_interned_in(const struct pyheap *heap,
                                 const struct memory_static *area,
                                 uint64_t dict_type) {
  int32_t of = OFFSET(heap->layout, PyObject, ob_type);

  for (uint64_t at = area->start; at + 8 <= area->end; at += 8) {
    uint64_t target = heap_word(heap, at, 0);
    /* Most words fail the first tests, which cost next to nothing. */
    if (target && !is_of_file(heap, target) &&
        heap_word(heap, target, of) == dict_type &&
        maps_to_itself(heap, target))
      return target;
  }
  return 0;
}

/** The dict of interned strings that a C variable points to, or 0.  The variable
 * is NULL at first, and therefore in the part of a program that is no file's. */
static uint64_t find_static_interned(const struct pyheap *heap) {
  const struct memory *memory = &heap->memory;
  uint64_t dict_type = find_dict_type(heap), found = 0;

  for (int of_file = 0; of_file < 2; of_file++)
    for (size_t i = 0; i < memory->static_count && !found; i++)
      if (is_of_file(heap, memory->statics[i].start) == of_file)
        found = find_interned_in(heap, &memory->statics[i], dict_type);
  return found;
}

/** Adds ADDRESS to heap->interned, which has room for it. */
static void add_interned(struct pyheap *heap, uint64_t address) {
  size_t at = heap->interned_count;
  if (!address || heap_is_interned_dict(heap, address))
    return;
  for (; at > 0 && heap->interned[at - 1] > address; at--)
    heap->interned[at] = heap->interned[at - 1];
  heap->interned[at] = address;
  heap->interned_count++;
}

struct pyheap_error *roots_find_interned(struct pyheap *heap) {
  int32_t offset = OFFSET(heap->layout, PyInterpreterState, interned_strings);
  uint32_t count = pyheap_interpreter_count(heap);

  free(take(heap->interned));
  heap->interned_count = 0;
  heap->interned = reallocarray(NULL, count, sizeof *heap->interned);
  if (!heap->interned)
    return &error_no_memory;
  if (offset < 0)
    add_interned(heap, find_static_interned(heap));
  for (uint32_t i = 0; offset >= 0 && i < count; i++)
    add_interned(heap, heap_word(heap, heap->interpreters[i].address, offset));
  return NULL;
}

void root_visit(struct visit *visit, const struct root *root) {
  visit->object = NULL;
  visit->demote = false;
  visit->uncounted = false;
  switch (root->kind) {
  case PYHEAP_ROOT_RUNTIME:
    for (size_t i = 0; i < visit->heap->memory.static_count; i++)
      scan_static(visit, i);
    break;
  case PYHEAP_ROOT_INTERPRETER:
    visit_interpreter(visit, root->address);
    break;
  case PYHEAP_ROOT_THREAD:
    visit_thread(visit, root->address);
    break;
  case PYHEAP_ROOT_FRAME:
    if (heap_has_frame_objects(visit->heap))
      visit_named(visit, root->address, PYHEAP_OWNED, "frame object");
    else
      visit_interpreter_frame(visit, NULL, root->address, PYHEAP_OWNED);
    break;
  case PYHEAP_ROOT_STACK:
    c_stack_visit(visit, c_stack_at(visit->heap, root->address));
    break;
  }
  if (visit->count)
    visit->flush(visit);
  visit->count = 0;
}
