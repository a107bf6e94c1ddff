/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds _PyRuntime, checks that it is what the layout says, and lists what
 * holds references from outside the heap. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "dict.h"
#include "heap.h"
#include "known_frames.h"
#include "symbols.h"
#include "text.h"

#define RUNTIME(heap, member) OFFSET((heap)->layout, pyruntimestate, member)
#define INTERPRETER(heap, member)                                              \
  OFFSET((heap)->layout, PyInterpreterState, member)
#define THREAD(heap, member) OFFSET((heap)->layout, PyThreadState, member)

/** The u64 at ADDRESS + OFFSET; 0 when absent or unreadable. */
static uint64_t word(const struct pyheap *heap, uint64_t address,
                     int32_t offset) {
  if (offset < 0)
    return 0;
  const uint8_t *bytes =
      memory_at(&heap->memory, address + (uint64_t)offset, 8);
  return bytes ? load_u64(bytes) : 0;
}

/* The file that holds the runtime ----------------------------------------- */

struct found {
  struct symbols *symbols;
  uint64_t bias;    /**< Target address minus link-time address. */
  uint64_t runtime; /**< Target address of _PyRuntime. */
  const struct memory_file *file;
};

/** Looks for _PyRuntime in one mapped file. */
static struct pyheap_error *look_into(const struct memory_file *file,
                                      struct found *found) {
  struct symbols *symbols = NULL;
  uint64_t address;

  struct pyheap_error *error = symbols_open(file->local, &symbols);
  if (error && error->code == PYHEAP_ERROR_NO_MEMORY)
    return error;
  if (error) {
    pyheap_error_destroy(error);
    return NULL;
  }
  if (!symbols_find(symbols, "_PyRuntime", &address)) {
    symbols_close(symbols);
    return NULL;
  }
  found->symbols = symbols;
  found->bias = file->start - symbols_base(symbols);
  found->runtime = found->bias + address;
  found->file = file;
  return NULL;
}

static bool may_hold_runtime(const struct memory *memory,
                             const struct memory_file *file, int pass) {
  if (!file->local || file->offset != 0)
    return false;
  const char *slash = strrchr(file->path, '/');
  const char *name = slash ? slash + 1 : file->path;
  bool is_program = false;
  for (size_t i = 0; i < memory->file_count; i++)
    if (strcmp(memory->files[i].path, file->path) == 0 &&
        memory->entry >= memory->files[i].start &&
        memory->entry < memory->files[i].end)
      is_program = true;
  bool is_library = strncmp(name, "libpython", 9) == 0;
  return pass == 0 ? is_program || is_library : !is_program && !is_library;
}

/** The program and libpython first, then whatever else is mapped: an embedding
 * program may carry the interpreter in a library of any name. */
static struct pyheap_error *find_file(struct pyheap *heap,
                                      struct found *found) {
  const struct memory *memory = &heap->memory;
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < memory->file_count; i++) {
      if (!may_hold_runtime(memory, &memory->files[i], pass))
        continue;
      TRY(look_into(&memory->files[i], found));
      if (found->symbols)
        return NULL;
    }
  for (size_t i = 0; i < memory->file_count; i++) {
    const struct memory_file *file = &memory->files[i];
    if (memory->entry >= file->start && memory->entry < file->end &&
        !file->local)
      return error_create(PYHEAP_ERROR_NOT_PYTHON, 0,
                          "no CPython runtime found: the program %s cannot be "
                          "read; give its copy with --exe",
                          file->path);
  }
  return error_create(PYHEAP_ERROR_NOT_PYTHON, 0,
                      memory->file_count
                          ? "no CPython runtime (_PyRuntime) in any of the "
                            "files the target maps"
                          : "no CPython runtime found: the target names no "
                            "mapped files");
}

/* Version ----------------------------------------------------------------- */

static struct pyheap_error *read_version(struct pyheap *heap,
                                         const struct found *found) {
  struct pyheap_info *info = &heap->info;
  uint64_t address, value;

  if (!symbols_find(found->symbols, "Py_Version", &address))
    return error_create(PYHEAP_ERROR_VERSION, 0,
                        "%s is a CPython before 3.11, which is not supported",
                        found->file->local);
  TRY(memory_read_u64(&heap->memory, found->bias + address, &value));
  info->hexversion = (uint32_t)value;
  snprintf(info->version, sizeof info->version, "%u.%u.%u",
           info->hexversion >> 24, info->hexversion >> 16 & 0xff,
           info->hexversion >> 8 & 0xff);
  uint64_t ignored;
  info->debug = symbols_find(found->symbols, "_Py_RefTotal", &ignored);
  info->recognised = "symbol _PyRuntime, version from Py_Version";
  heap->layout = layout_find(info->hexversion, info->debug, false);
  if (!heap->layout)
    return error_create(PYHEAP_ERROR_VERSION, 0,
                        "CPython %s%s is not supported: there is no table of "
                        "its layout",
                        info->version, info->debug ? " (debug build)" : "");
  return NULL;
}

/* Checks ------------------------------------------------------------------ */

static struct pyheap_error *contradiction(const struct pyheap *heap,
                                          const char *what, uint64_t address) {
  return error_create(PYHEAP_ERROR_BAD_DATA, address,
                      "this is not CPython %s as its layout table has it: %s "
                      "(0x%llx)",
                      heap->info.version, what, (unsigned long long)address);
}

static struct pyheap_error *check_type_type(struct pyheap *heap,
                                            const struct found *found) {
  uint64_t address;
  if (!symbols_find(found->symbols, "PyType_Type", &address))
    return error_create(PYHEAP_ERROR_NOT_PYTHON, 0,
                        "%s has no symbol PyType_Type", found->file->local);
  address += found->bias;
  if (word(heap, address, OFFSET(heap->layout, PyObject, ob_type)) != address)
    return contradiction(heap, "type(type) is not type", address);
  return types_init(heap, address);
}

/* Roots ------------------------------------------------------------------- */

static struct pyheap_error *add_root(struct pyheap *heap,
                                     enum pyheap_root_kind kind,
                                     uint64_t address, uint64_t interpreter) {
  size_t count = heap->root_count;
  if (!(count & (count - 1))) {
    struct root *grown =
        reallocarray(heap->roots, count ? 2 * count : 1, sizeof *grown);
    if (!grown)
      return &error_no_memory;
    heap->roots = grown;
  }
  heap->roots[heap->root_count++] =
      (struct root){.kind = kind, .address = address, .interpreter = interpreter};
  return NULL;
}

/** The running functions of a thread, innermost first. */
static struct pyheap_error *add_frames(struct pyheap *heap, uint64_t thread,
                                       uint64_t interpreter) {
  const struct layout *layout = heap->layout;
  uint64_t cframe = word(heap, thread, THREAD(heap, cframe));
  uint64_t frame =
      cframe ? word(heap, cframe, OFFSET(layout, _PyCFrame, current_frame)) : 0;

  while (frame) {
    if (heap->info.frames == MAX_FRAMES)
      return error_create(PYHEAP_ERROR_LIMIT, frame, "more than %d frames",
                          MAX_FRAMES);
    int owner = frame_owner(heap, frame);
    if (owner < 0) {
      problems_add(&heap->problems, "chain of frames that leads nowhere", frame,
                   1);
      return NULL;
    }
    heap->info.frames++;
    if (owner == FRAME_OWNER_THREAD)
      TRY(add_root(heap, PYHEAP_ROOT_FRAME, frame, interpreter));
    uint64_t previous =
        word(heap, frame, OFFSET(layout, _PyInterpreterFrame, previous));
    if (previous == frame)
      return contradiction(heap, "a frame that calls itself", frame);
    frame = previous;
  }
  return NULL;
}

static struct pyheap_error *add_threads(struct pyheap *heap,
                                        uint64_t interpreter) {
  uint64_t thread = word(heap, interpreter, INTERPRETER(heap, threads_head));
  for (uint64_t previous = 0; thread; previous = thread,
                thread = word(heap, thread, THREAD(heap, next))) {
    if (word(heap, thread, THREAD(heap, interp)) != interpreter ||
        word(heap, thread, THREAD(heap, prev)) != previous) {
      problems_add(&heap->problems, "list of threads that is broken", thread,
                   1);
      return NULL;
    }
    if (heap->info.threads++ == MAX_THREADS)
      return error_create(PYHEAP_ERROR_LIMIT, thread, "more than %d threads",
                          MAX_THREADS);
    TRY(add_root(heap, PYHEAP_ROOT_THREAD, thread, interpreter));
    TRY(add_frames(heap, thread, interpreter));
  }
  return NULL;
}

static struct pyheap_error *add_interpreters(struct pyheap *heap) {
  uint64_t main_interpreter =
      word(heap, heap->runtime, RUNTIME(heap, interpreters_main));
  uint64_t interpreter =
      word(heap, heap->runtime, RUNTIME(heap, interpreters_head));
  bool main_seen = false;

  if (!interpreter)
    return error_create(PYHEAP_ERROR_NOT_PYTHON, heap->runtime,
                        "the CPython runtime has no interpreter: it was not "
                        "started yet or has ended");
  while (interpreter) {
    if (!word(heap, interpreter, INTERPRETER(heap, modules)) &&
        interpreter == main_interpreter)
      return contradiction(heap, "the main interpreter has no modules",
                           interpreter);
    main_seen |= interpreter == main_interpreter;
    if (heap->info.interpreters++ == MAX_INTERPRETERS)
      return error_create(PYHEAP_ERROR_LIMIT, interpreter,
                          "more than %d interpreters", MAX_INTERPRETERS);
    TRY(add_root(heap, PYHEAP_ROOT_INTERPRETER, interpreter, interpreter));
    TRY(add_threads(heap, interpreter));
    interpreter = word(heap, interpreter, INTERPRETER(heap, next));
  }
  return main_seen ? NULL
                   : contradiction(heap, "the main interpreter is not listed",
                                   heap->runtime);
}

/** subtype_traverse() is a static function without a symbol: a class that the
 * import system's own Python code makes shows where it is. */
static void learn_subtype(struct pyheap *heap) {
  uint64_t interpreter =
      word(heap, heap->runtime, RUNTIME(heap, interpreters_main));
  uint64_t module = word(heap, interpreter, INTERPRETER(heap, importlib));
  uint64_t dict =
      word(heap, module, OFFSET(heap->layout, PyModuleObject, md_dict));
  uint64_t type = module ? dict_lookup(heap, dict, "ModuleSpec") : 0;
  if (!type) {
    problems_add(&heap->problems,
                 "no class ModuleSpec to learn the layout of classes from",
                 module, 1);
    return;
  }
  heap->types.subtype_traverse =
      word(heap, type, OFFSET(heap->layout, PyTypeObject, tp_traverse));
  heap->types.subtype_dealloc =
      word(heap, type, OFFSET(heap->layout, PyTypeObject, tp_dealloc));
}

uint64_t runtime_generation(const struct pyheap *heap, uint64_t interpreter,
                            int generation) {
  const struct layout *layout = heap->layout;
  uint64_t gc = interpreter + (uint64_t)INTERPRETER(heap, gc);
  if (generation == 3)
    return gc +
           (uint64_t)OFFSET(layout, _gc_runtime_state, permanent_generation) +
           (uint64_t)OFFSET(layout, gc_generation, head);
  uint64_t first =
      word(heap, gc, OFFSET(layout, _gc_runtime_state, generation0));
  return first ? first + (uint64_t)generation *
                             (uint64_t)SIZEOF(layout, gc_generation)
               : 0;
}

struct pyheap_error *runtime_find(struct pyheap *heap) {
  struct found found = {0};

  TRY(find_file(heap, &found));
  struct pyheap_error *error = read_version(heap, &found);
  heap->runtime = heap->info.runtime = found.runtime;
  heap->runtime_file = heap->info.exe = found.file->local;
  if (!error)
    error = check_type_type(heap, &found);
  symbols_close(found.symbols);
  TRY(error);
  /* Text comes before types: strings are needed to learn what a class is, and
   * need the type str only, which is no class. */
  learn_subtype(heap);
  types_forget(heap);
  TRY(add_root(heap, PYHEAP_ROOT_RUNTIME, heap->runtime, 0));
  return add_interpreters(heap);
}
