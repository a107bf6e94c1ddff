/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds _PyRuntime and checks that it is what the layout says. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "dict.h"
#include "heap.h"
#include "lost.h"
#include "symbols.h"
#include "text.h"
#include "value.h"

#define RUNTIME(heap, member) OFFSET((heap)->layout, pyruntimestate, member)
#define INTERPRETER(heap, member)                                              \
  OFFSET((heap)->layout, PyInterpreterState, member)
#define THREAD(heap, member) OFFSET((heap)->layout, PyThreadState, member)

/* The file that holds the runtime ----------------------------------------- */

struct found {
  struct symbols *symbols; /**< NULL: the file is gone. */
  uint64_t bias;           /**< Target address minus link-time address. */
  uint64_t runtime;        /**< Target address of _PyRuntime. */
  const struct memory_file *file;
};

static const char *path_of(const struct found *found) {
  if (!found->file)
    return "the target";
  return found->file->local ? found->file->local : found->file->path;
}

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

static bool is_libpython(const char *name) {
  return strncmp(name, "libpython", 9) == 0;
}

static const char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool may_hold_runtime(const struct memory *memory,
                             const struct memory_file *file, int pass) {
  if (!file->local || file->offset != 0)
    return false;
  const char *name = last_part(file->path);
  const struct memory_file *program = memory_file_at(memory, memory->entry);
  bool is_program = program && strcmp(program->path, file->path) == 0;
  bool is_library = is_libpython(name);
  return pass == 0 ? is_program || is_library : !is_program && !is_library;
}

/** An error when FILE is one that should have the runtime, and is not here. */
static struct pyheap_error *explain_absence(const struct memory *memory,
                                            const struct memory_file *file) {
  bool is_program = memory->entry >= file->start && memory->entry < file->end;
  if (file->local || (!is_program && !is_libpython(last_part(file->path))))
    return NULL;
  return error_create(
      PYHEAP_ERROR_NOT_PYTHON, 0, "no CPython runtime found: %s %s; give %s",
      file->path,
      file->mismatch ? "is another build here than the one that was running"
                     : "cannot be read here",
      is_program ? "a copy with --exe (in gdb: file)"
                 : "the files of its machine with gdb's set sysroot");
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
  for (size_t i = 0; i < memory->file_count; i++)
    TRY(explain_absence(memory, &memory->files[i]));
  const struct memory_file *program = memory_file_at(memory, memory->entry);
  if (program)
    return error_create(PYHEAP_ERROR_NOT_PYTHON, 0,
                        "no CPython runtime (_PyRuntime) in %s, nor in any "
                        "other file that it maps: is it a Python program?",
                        program->path);
  return error_create(PYHEAP_ERROR_NOT_PYTHON, 0,
                      memory->file_count
                          ? "no CPython runtime (_PyRuntime) in any of the "
                            "files the target maps"
                          : "no CPython runtime found: the target does not say "
                            "which files are mapped; give the program with "
                            "--exe (in gdb: file)");
}

/* Version ----------------------------------------------------------------- */

/** What _PyRuntime or the file says of the version; 0 when it says nothing. */
static uint32_t stated_version(const struct pyheap *heap,
                               const struct found *found, bool *free_threaded) {
  /* _Py_DebugOffsets begins with a cookie, sys.hexversion and whether the build
   * is free-threaded (pycore_debug_offsets.h, 3.13 and later). */
  static const char cookie[8] = "xdebugpy";
  const uint8_t *head = memory_at(&heap->memory, found->runtime, 24);
  uint64_t address;

  *free_threaded = false;
  if (head && memcmp(head, cookie, sizeof cookie) == 0) {
    *free_threaded = load_u64(head + 16) == 1;
    return (uint32_t)load_u64(head + 8);
  }
  /* 3.11 and later. */
  if (!found->symbols || !symbols_find(found->symbols, "Py_Version", &address))
    return 0;
  const uint8_t *version = memory_at(&heap->memory, found->bias + address, 8);
  return version ? (uint32_t)load_u64(version) : 0;
}

static void write_version(struct pyheap_info *info, uint32_t hexversion) {
  static const char levels[] = "abc";
  uint32_t level = hexversion >> 4 & 15;

  info->hexversion = hexversion;
  int length = snprintf(info->version, sizeof info->version, "%u.%u.%u",
                        hexversion >> 24, hexversion >> 16 & 0xff,
                        hexversion >> 8 & 0xff);
  if (level >= 10 && level <= 12)
    snprintf(info->version + length, sizeof info->version - (size_t)length,
             "%s%c%u", level == 12 ? "r" : "", levels[level - 10],
             hexversion & 15);
}

/* Checks ------------------------------------------------------------------ */

static struct pyheap_error *contradiction(const struct pyheap *heap,
                                          const char *what, uint64_t address) {
  return error_create(PYHEAP_ERROR_BAD_DATA, address,
                      "this is not CPython %s as its layout table has it: %s "
                      "(0x%llx)",
                      heap->info.version, what, (unsigned long long)address);
}

/** sys.NAME of the main interpreter, 0 when it cannot be read. */
static uint64_t sys_attribute(const struct pyheap *heap, const char *name) {
  uint64_t interpreter =
      heap_word(heap, heap->runtime, RUNTIME(heap, interpreters_main));
  uint64_t sysdict =
      interpreter ? heap_word(heap, interpreter, INTERPRETER(heap, sysdict))
                  : 0;
  return sysdict ? dict_lookup(heap, sysdict, name) : 0;
}

/** Whether heap->layout is as the runtime's own _Py_DebugOffsets say, which tell
 * builds of one version apart.  Before 3.13 there are none. */
static bool layout_agrees(const struct pyheap *heap, bool exact) {
  uint64_t size = 1024; /* Those of 3.15 have 888 bytes. */
  const uint8_t *head = memory_at(&heap->memory, heap->runtime, size);
  return !head ||
         layout_contradiction(heap->layout, head, size, exact) == FACT_COUNT;
}

/** Whether the target is as heap->layout has it: type(type) is type, and
 * sys.hexversion and sys.abiflags, reached by way of a dozen of its facts, say
 * that this is the version and the build. */
static bool layout_fits(struct pyheap *heap, uint32_t *hexversion) {
  uint64_t type = heap->types.type_type;
  struct object object;
  const char *why;
  char *flags = NULL;

  if (heap_word(heap, type, OFFSET(heap->layout, PyObject, ob_type)) != type)
    return false;
  uint64_t version = sys_attribute(heap, "hexversion");
  if (!version || !object_load(heap, version, &object, &why) ||
      !int_value(heap, &object, hexversion) ||
      *hexversion >> 16 != heap->layout->version)
    return false;
  flags = text_utf8(heap, sys_attribute(heap, "abiflags"), 16);
  bool fits = flags && !strchr(flags, 'd') == !heap->layout->debug &&
              !strchr(flags, 't') == !heap->layout->free_threaded;
  free(flags);
  return fits;
}

/** "3.8, 3.9, 3.11": the versions that have a layout, for messages. */
static void list_supported(char *list, size_t size) {
  size_t length = 0;
  uint16_t last = 0;
  list[0] = 0;
  for (const struct layout *const *layout = layouts; *layout; layout++) {
    uint16_t version = (*layout)->version;
    if (version == last || length >= size)
      continue;
    last = version;
    length +=
        (size_t)snprintf(list + length, size - length, "%s%u.%u",
                         length ? ", " : "", version >> 8, version & 0xff);
  }
}

/** In which order layouts of the stated version are tried.  Extension modules
 * change between micro versions that agree in all that the runtime says. */
enum attempt {
  ATTEMPT_SAME,  /**< The very version, and what the runtime says of itself. */
  ATTEMPT_ALIKE, /**< Another micro version, and what the runtime says. */
  ATTEMPT_GROWN, /**< The very version, but the runtime is longer. */
  ATTEMPTS,
};

/** Whether a layout is to be tried; where no version is stated, all up to 3.10,
 * for these say it nowhere but in sys. */
static bool layout_may_fit(const struct pyheap *heap, uint32_t stated,
                           bool free_threaded, enum attempt attempt) {
  const struct layout *layout = heap->layout;
  if (!stated)
    return attempt == ATTEMPT_SAME && layout->version < 0x030b;
  return layout_is_for(layout, stated, free_threaded) &&
         (attempt == ATTEMPT_ALIKE) != layout_in_range(layout, stated) &&
         layout_agrees(heap, attempt != ATTEMPT_GROWN);
}

/** Without symbols: every dict tells where the type `dict` is, and its type. */
static bool derive_type_type(struct pyheap *heap) {
  const struct layout *layout = heap->layout;
  int32_t ob_type = OFFSET(layout, PyObject, ob_type);
  uint64_t interpreter =
      heap_word(heap, heap->runtime, RUNTIME(heap, interpreters_main));
  uint64_t dict = heap_word(heap, interpreter, INTERPRETER(heap, sysdict));
  heap->types.type_type =
      heap_word(heap, heap_word(heap, dict, ob_type), ob_type);
  return heap->types.type_type;
}

static struct pyheap_error *find_layout(struct pyheap *heap,
                                        const struct found *found) {
  /* With symbols and without; the very version, and another. */
  static const char *const recognised[2][2] = {
      {"symbol _PyRuntime; sys.hexversion and sys.abiflags agree",
       "symbol _PyRuntime; sys.hexversion and sys.abiflags agree; a micro "
       "version that was not tried, by its own description"},
      {"_PyRuntime by its first bytes; sys.hexversion and sys.abiflags agree",
       "_PyRuntime by its first bytes; sys.hexversion and sys.abiflags agree; a "
       "micro version that was not tried, by its own description"}};
  bool free_threaded;
  uint32_t stated = stated_version(heap, found, &free_threaded), hexversion;
  char supported[128];
  size_t count = 0;
  bool known = false;

  while (layouts[count])
    count++;
  list_supported(supported, sizeof supported);
  for (size_t i = 0; i < ATTEMPTS * count; i++) {
    enum attempt attempt = i / count;
    const struct layout *layout = heap->layout = layouts[i % count];
    known |= stated && layout_is_for(layout, stated, free_threaded);
    types_forget(heap);
    if (!layout_may_fit(heap, stated, free_threaded, attempt) ||
        (!found->symbols && !derive_type_type(heap)) ||
        !layout_fits(heap, &hexversion) || (stated && hexversion != stated))
      continue;
    write_version(&heap->info, hexversion);
    heap->info.debug = layout->debug;
    heap->info.free_threaded = layout->free_threaded;
    heap->info.recognised =
        recognised[!found->symbols][attempt != ATTEMPT_SAME];
    return NULL;
  }
  if (!stated)
    return error_create(PYHEAP_ERROR_VERSION, found->runtime,
                        "the CPython runtime in %s is none of the supported "
                        "versions (%s), has not started or has ended",
                        path_of(found), supported);
  write_version(&heap->info, stated);
  if (!known)
    return error_create(PYHEAP_ERROR_VERSION, found->runtime,
                        "CPython %s%s is not supported: there is no table of "
                        "its layout (supported: %s)",
                        heap->info.version,
                        free_threaded ? " (free-threaded)" : "", supported);
  return contradiction(heap,
                       "sys.hexversion and sys.abiflags cannot be found where "
                       "they should be: an unknown build, or a runtime that "
                       "has not started or has ended",
                       found->runtime);
}

static struct pyheap_error *find_type_type(struct pyheap *heap,
                                           const struct found *found) {
  uint64_t address;
  if (!symbols_find(found->symbols, "PyType_Type", &address))
    return error_create(PYHEAP_ERROR_NOT_PYTHON, 0,
                        "%s has no symbol PyType_Type", path_of(found));
  return types_init(heap, found->bias + address);
}

/* What it has -------------------------------------------------------------- */

/** subtype_traverse() is a static function without a symbol: a class that the
 * import system's own Python code makes shows where it is. */
static void learn_subtype(struct pyheap *heap) {
  uint64_t interpreter =
      heap_word(heap, heap->runtime, RUNTIME(heap, interpreters_main));
  uint64_t module = heap_word(heap, interpreter, INTERPRETER(heap, importlib));
  uint64_t dict =
      heap_word(heap, module, OFFSET(heap->layout, PyModuleObject, md_dict));
  uint64_t type = module ? dict_lookup(heap, dict, "ModuleSpec") : 0;
  if (!type) {
    problems_add(&heap->problems,
                 "no class ModuleSpec to learn the layout of classes from",
                 module, 1);
    return;
  }
  heap->types.subtype_traverse =
      heap_word(heap, type, OFFSET(heap->layout, PyTypeObject, tp_traverse));
  heap->types.subtype_dealloc =
      heap_word(heap, type, OFFSET(heap->layout, PyTypeObject, tp_dealloc));
}

/** Whether the runtime is at work: there is a main interpreter, with modules. */
static struct pyheap_error *check_interpreters(const struct pyheap *heap) {
  uint64_t main_interpreter =
      heap_word(heap, heap->runtime, RUNTIME(heap, interpreters_main));
  uint64_t first =
      heap_word(heap, heap->runtime, RUNTIME(heap, interpreters_head));

  if (!first || !main_interpreter)
    return error_create(PYHEAP_ERROR_NOT_PYTHON, heap->runtime,
                        "the CPython runtime has no interpreter: it was not "
                        "started yet or has ended");
  if (!heap_word(heap, main_interpreter, INTERPRETER(heap, modules)))
    return contradiction(heap, "the main interpreter has no modules",
                         main_interpreter);
  return NULL;
}

/** The state of the collector: the runtime's up to 3.8, where the main
 * interpreter stands for all; then each interpreter's. */
static uint64_t gc_state(const struct pyheap *heap, uint64_t interpreter) {
  int32_t offset = INTERPRETER(heap, gc);
  if (offset >= 0)
    return interpreter + (uint64_t)offset;
  uint64_t main_interpreter =
      heap_word(heap, heap->runtime, RUNTIME(heap, interpreters_main));
  return interpreter == main_interpreter
             ? heap->runtime + (uint64_t)RUNTIME(heap, gc)
             : 0;
}

uint64_t runtime_gc_member(const struct pyheap *heap, uint64_t interpreter,
                           int32_t offset) {
  uint64_t gc = gc_state(heap, interpreter);
  return gc ? heap_word(heap, gc, offset) : 0;
}

uint64_t runtime_generation(const struct pyheap *heap, uint64_t interpreter,
                            int generation) {
  const struct layout *layout = heap->layout;
  uint64_t gc = gc_state(heap, interpreter);
  uint64_t head = (uint64_t)OFFSET(layout, gc_generation, head);
  uint64_t size = (uint64_t)SIZEOF(layout, gc_generation);
  int32_t young = OFFSET(layout, _gc_runtime_state, young);

  if (!gc || layout->free_threaded)
    return 0;
  if (generation == 3)
    return gc + head +
           (uint64_t)OFFSET(layout, _gc_runtime_state, permanent_generation);
  if (young >= 0)
    return gc + head +
           (generation ? (uint64_t)OFFSET(layout, _gc_runtime_state, old) +
                             (uint64_t)(generation - 1) * size
                       : (uint64_t)young);
  /* The pointer to the first is right where a distribution has moved them. */
  uint64_t first =
      heap_word(heap, gc, OFFSET(layout, _gc_runtime_state, generation0));
  return first ? first + (uint64_t)generation * size : 0;
}

/* Without the file ---------------------------------------------------------- */

/** Whether the list of interpreters at ADDRESS is that of heap->layout: the main
 * interpreter is its last, and its threads know it. */
static bool is_interpreter_list(const struct pyheap *heap, uint64_t address) {
  uint64_t interpreter = heap_word(heap, address, 0);
  uint64_t main_interpreter = heap_word(heap, address,
                                        RUNTIME(heap, interpreters_main) -
                                            RUNTIME(heap, interpreters_head));
  int32_t next = INTERPRETER(heap, next);
  uint64_t thread =
      heap_word(heap, main_interpreter, INTERPRETER(heap, threads_head));
  if (!thread || heap_word(heap, main_interpreter, next) ||
      heap_word(heap, thread, THREAD(heap, interp)) != main_interpreter)
    return false;
  for (int i = 0; interpreter && interpreter != main_interpreter; i++)
    interpreter = i < MAX_INTERPRETERS ? heap_word(heap, interpreter, next) : 0;
  return interpreter;
}

/** Whether the list of interpreters at ADDRESS is that of a runtime that is as
 * heap->layout has it; IN_RANGE: of the very versions that it was made for. */
static bool fits_list(struct pyheap *heap, uint64_t address, bool in_range) {
  uint32_t hexversion;
  if (!is_interpreter_list(heap, address))
    return false;
  heap->runtime = address - (uint64_t)RUNTIME(heap, interpreters_head);
  types_forget(heap);
  if (!derive_type_type(heap) || !layout_fits(heap, &hexversion) ||
      layout_in_range(heap->layout, hexversion) != in_range)
    return false;
  write_version(&heap->info, hexversion);
  return true;
}

/** Tries every layout of 3.8 to 3.12 at every place that looks like the list of
 * interpreters; later versions describe themselves. */
static bool find_by_lists(struct pyheap *heap,
                          const struct lost_runtimes *runtimes) {
  for (int in_range = 1; in_range >= 0; in_range--)
    for (const struct layout *const *layout = layouts; *layout; layout++) {
      heap->layout = *layout;
      for (size_t i = 0;
           heap->layout->version < 0x030d && i < runtimes->list_count; i++) {
        if (!fits_list(heap, runtimes->lists[i], in_range))
          continue;
        heap->info.debug = heap->layout->debug;
        heap->info.free_threaded = false;
        heap->info.recognised = "_PyRuntime by its list of interpreters; "
                                "sys.hexversion and sys.abiflags agree";
        return true;
      }
    }
  return false;
}

/** The first runtime that describes itself and can be read; an error when there
 * is one, but none that can be. */
static struct pyheap_error *
find_by_description(struct pyheap *heap, const struct lost_runtimes *runtimes,
                    bool *found_any) {
  struct pyheap_error *error = NULL;
  *found_any = false;
  for (size_t i = 0; i < runtimes->described_count; i++) {
    struct found found = {
        .runtime = runtimes->described[i],
        .file = memory_file_at(&heap->memory, runtimes->described[i])};
    pyheap_error_destroy(error);
    heap->runtime = found.runtime;
    error = find_layout(heap, &found);
    *found_any = true;
    if (!error)
      break;
  }
  return error;
}

/** BYTES in hexadecimal, as many as TEXT of SIZE bytes has room for. */
static void say_bytes(const uint8_t *bytes, size_t count, char *text,
                      size_t size) {
  *text = 0;
  for (size_t i = 0; bytes && i < count && 2 * i + 2 < size; i++)
    snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/** Says what is missing, and what that means. */
static struct pyheap_error *note_loss(struct pyheap *heap) {
  struct memory *memory = &heap->memory;
  const struct memory_file *file = NULL;
  char id[64];
  size_t size = 0;
  for (size_t i = 0; i < memory->static_count; i++)
    if (heap->runtime >= memory->statics[i].start &&
        heap->runtime < memory->statics[i].end)
      file = &memory->files[memory->statics[i].file];
  if (!file)
    file = memory_file_at(memory, heap->runtime);
  const uint8_t *bytes = memory_build_id(memory, heap->runtime, &size);
  say_bytes(bytes, size, id, sizeof id);
  TRY(memory_note(
      memory,
      "%s, which holds the interpreter, is missing here%s%s%s: only "
      "what was saved of it is read; give a copy with --exe or the "
      "files of its machine with --sysroot",
      file ? file->path : "the file", *id ? " (build-id " : "", id,
      *id ? ")" : ""));
  if (!heap->types.lost.count)
    return memory_note(memory, "without it C variables have no names");
  return memory_note(
      memory,
      "without it C variables have no names, and types written in "
      "C those under which modules know them: %zu were named so; "
      "others are shown by address, and what these refer to is "
      "guessed",
      heap->types.lost.count);
}

/** Looks for a runtime in the C variables, or everywhere. */
static struct pyheap_error *search_lost(struct pyheap *heap, bool everywhere,
                                        bool *found) {
  struct lost_runtimes runtimes;
  bool described = false;

  TRY(lost_runtimes_find(heap, everywhere, &runtimes));
  struct pyheap_error *error = find_by_description(heap, &runtimes, &described);
  *found = described || find_by_lists(heap, &runtimes);
  lost_runtimes_deinit(&runtimes);
  return error;
}

/** Without symbols, what memory holds. */
static struct pyheap_error *find_lost(struct pyheap *heap, bool *found) {
  TRY(types_init(heap, 0));
  TRY(search_lost(heap, false, found));
  if (!*found)
    TRY(search_lost(heap, true, found));
  if (!*found)
    return NULL;
  heap->info.runtime = heap->runtime;
  types_forget(heap);
  TRY(lost_names_find(heap));
  return note_loss(heap);
}

static struct pyheap_error *find_by_symbols(struct pyheap *heap,
                                            struct found *found) {
  heap->runtime = heap->info.runtime = found->runtime;
  heap->runtime_file = found->file->local;
  /* A process has its files below its own root, which /proc leads to by way of
   * a path that means nothing to people. */
  bool is_process = !heap->target.core && heap->target.pid > 0;
  heap->info.exe = is_process ? found->file->path : found->file->local;
  TRY(find_type_type(heap, found));
  return find_layout(heap, found);
}

static struct pyheap_error *find_runtime(struct pyheap *heap) {
  struct found found = {0};
  bool found_lost = false;
  struct pyheap_error *error = find_file(heap, &found);

  if (!error) {
    error = find_by_symbols(heap, &found);
    symbols_close(found.symbols);
    return error;
  }
  if (error->code != PYHEAP_ERROR_NOT_PYTHON)
    return error;
  struct pyheap_error *second = find_lost(heap, &found_lost);
  if (!second && !found_lost)
    return error;
  pyheap_error_destroy(error);
  return second;
}

struct pyheap_error *runtime_find(struct pyheap *heap) {
  TRY(find_runtime(heap));
  /* Types were read to read strings with; what a class is can be told now. */
  learn_subtype(heap);
  types_forget(heap);
  heap->patched_by_debian =
      runtime_generation(
          heap,
          heap_word(heap, heap->runtime, RUNTIME(heap, interpreters_main)), 0) %
          8 !=
      0;
  TRY(check_interpreters(heap));
  TRY(roots_list(heap));
  TRY(refcount_sum_threads(heap));
  return interpreters_list(heap);
}
