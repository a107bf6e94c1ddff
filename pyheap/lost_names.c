/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What types are called whose tp_name is in a file that is gone: static types
 * are known by name to the modules that define them. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "heap.h"
#include "lost.h"
#include "text.h"

enum {
  MAX_LENGTH = 256 /**< Of the name of a module or a type. */
};

/** How sure a name is; of two of one rank the first is taken, for what comes
 * later is an alias: EnvironmentError is OSError. */
enum rank {
  RANK_PYTHON,  /**< A module in Python has it, as it seems from elsewhere. */
  RANK_C,       /**< A module in C has it. */
  RANK_KNOWN,   /**< There is a row for a type of that name. */
  RANK_BUILTIN, /**< The module builtins has it. */
  RANK_SPECIAL, /**< See special[]. */
};

/** Types that have no name in builtins, or another, and where one of them is: the
 * attribute of a module, or what the __dict__ of a type that is one has under a
 * key. */
static const struct special {
  const char *name, *module, *attribute, *key;
} special[] = {
    {"NoneType", "builtins", "None", NULL},
    {"NotImplementedType", "builtins", "NotImplemented", NULL},
    {"ellipsis", "builtins", "Ellipsis", NULL},
    {"builtin_function_or_method", "builtins", "len", NULL},
    {"function", "_frozen_importlib", "_wrap", NULL},
    {"wrapper_descriptor", "builtins", "object", "__init__"},
    {"method_descriptor", "builtins", "object", "__reduce__"},
    {"getset_descriptor", "builtins", "object", "__class__"},
    {"member_descriptor", "builtins", "type", "__basicsize__"},
    {"classmethod_descriptor", "builtins", "dict", "fromkeys"},
    {"sys.flags", "sys", "flags", NULL},
    {"sys.float_info", "sys", "float_info", NULL},
    {"sys.hash_info", "sys", "hash_info", NULL},
    {"sys.int_info", "sys", "int_info", NULL},
    {"sys.thread_info", "sys", "thread_info", NULL},
    {"sys.version_info", "sys", "version_info", NULL},
    {"NoDefaultType", "typing", "NoDefault", NULL},
    {"Token.MISSING", "_contextvars", "Token", "MISSING"},
    /* 3.8 */
    {"_abc_data", "_collections_abc", "Hashable", "_abc_impl"},
    {"PyCapsule", "_datetime", "datetime_CAPI", NULL},
    {"PyCapsule", "_socket", "CAPI", NULL},
    {"PyCapsule", "unicodedata", "_ucnhash_CAPI", NULL},
    {"PyCapsule", "unicodedata", "ucnhash_CAPI", NULL},
};

/** Types that other modules name, under their own names or others, and the
 * versions in which they do: 0x030b is 3.11, 0 is no bound. */
static const struct alias {
  const char *name, *module, *attribute;
  uint16_t first, last;
} aliases[] = {
    {"Context", "_contextvars", "Context", 0, 0x0309},
    {"ContextVar", "_contextvars", "ContextVar", 0, 0x0309},
    {"Token", "_contextvars", "Token", 0, 0x0309},
    {"FrameLocalsProxy", "_collections_abc", "framelocalsproxy", 0x030d, 0},
    {"_thread.ExceptHookArgs", "_thread", "_ExceptHookArgs", 0, 0x0309},
    {"_thread.lock", "_thread", "LockType", 0, 0x0309},
    {"async_generator", "types", "AsyncGeneratorType", 0, 0},
    {"builtin_function_or_method", "types", "BuiltinFunctionType", 0, 0},
    {"cell", "types", "CellType", 0, 0},
    {"classmethod_descriptor", "types", "ClassMethodDescriptorType", 0, 0},
    {"code", "types", "CodeType", 0, 0},
    {"coroutine", "types", "CoroutineType", 0, 0},
    {"ellipsis", "types", "EllipsisType", 0, 0},
    {"frame", "types", "FrameType", 0, 0},
    {"function", "types", "FunctionType", 0, 0},
    {"generator", "types", "GeneratorType", 0, 0},
    {"getset_descriptor", "types", "GetSetDescriptorType", 0, 0},
    {"interpreters.InterpreterError", "_interpreters", "InterpreterError",
     0x030d, 0x030d},
    {"interpreters.InterpreterNotFoundError", "_interpreters",
     "InterpreterNotFoundError", 0x030d, 0x030d},
    {"concurrent.interpreters.InterpreterError", "_interpreters",
     "InterpreterError", 0x030e, 0},
    {"concurrent.interpreters.InterpreterNotFoundError", "_interpreters",
     "InterpreterNotFoundError", 0x030e, 0},
    {"lazy_import", "_types", "LazyImportType", 0x030f, 0},
    {"mappingproxy", "types", "MappingProxyType", 0, 0},
    {"member_descriptor", "types", "MemberDescriptorType", 0, 0},
    {"method", "types", "MethodType", 0, 0},
    {"method-wrapper", "types", "MethodWrapperType", 0, 0},
    {"method_descriptor", "types", "MethodDescriptorType", 0, 0},
    {"str_ascii_iterator", "_collections_abc", "str_iterator", 0x030b, 0},
    {"traceback", "types", "TracebackType", 0, 0},
    {"types.GenericAlias", "types", "GenericAlias", 0, 0},
    {"types.GenericAlias", "_collections_abc", "GenericAlias", 0, 0},
    {"typing.Union", "types", "UnionType", 0x030e, 0},
    {"types.SimpleNamespace", "types", "SimpleNamespace", 0, 0},
    {"weakcallableproxy", "_weakref", "CallableProxyType", 0, 0x0309},
    {"weakproxy", "_weakref", "ProxyType", 0, 0x0309},
    {"weakref", "_weakref", "ReferenceType", 0, 0x0309},
    {"wrapper_descriptor", "types", "WrapperDescriptorType", 0, 0},
};

/** Whether ALIAS is what a module of that name calls KEY in VERSION. */
static bool is_alias(const struct alias *alias, const char *module,
                     const char *key, uint16_t version) {
  return strcmp(alias->attribute, key) == 0 &&
         strcmp(alias->module, module) == 0 && version >= alias->first &&
         (!alias->last || version <= alias->last);
}

void lost_names_deinit(struct lost_names *names) {
  for (size_t i = 0; i < names->count; i++)
    free(names->list[i].name);
  free(names->list);
}

/** The index of the first entry that is not below ADDRESS. */
static size_t find_place(const struct lost_names *names, uint64_t address) {
  return SORTED_PLACE(0, names->count, i, names->list[i].address < address);
}

const char *lost_names_get(const struct pyheap *heap, uint64_t address) {
  const struct lost_names *names = &heap->types.lost;
  size_t at = find_place(names, address);
  return at < names->count && names->list[at].address == address
             ? names->list[at].name
             : NULL;
}

uint64_t lost_names_address(const struct pyheap *heap, const char *name) {
  const struct lost_names *names = &heap->types.lost;
  for (size_t i = 0; i < names->count; i++)
    if (strcmp(names->list[i].name, name) == 0)
      return names->list[i].address;
  return 0;
}

const char *lost_names_by_base(struct pyheap *heap, uint64_t address) {
  const struct layout *layout = heap->layout;
  int32_t basicsize = OFFSET(layout, PyTypeObject, tp_basicsize);
  uint64_t base =
      heap_word(heap, address, OFFSET(layout, PyTypeObject, tp_base));
  const char *name = lost_names_get(heap, base);
  const struct memory_file *file = memory_file_at(&heap->memory, address);

  /* The only type that the interpreter derives from that one has a word more
   * (PyCMethod_Type, since 3.9). */
  if (!name || strcmp(name, "builtin_function_or_method") != 0 || !file ||
      file != memory_file_at(&heap->memory, base) ||
      heap_word(heap, address, basicsize) !=
          heap_word(heap, base, basicsize) + 8)
    return NULL;
  char *copy = strdup("builtin_method");
  return copy ? lost_names_add(heap, address, copy) : NULL;
}

/** Takes NAME over, unless one of the same rank or a higher is there. */
static bool add(struct lost_names *names, uint64_t address, char *name,
                int rank) {
  size_t at = find_place(names, address);
  struct lost_name *there = names->list + at;

  if (at < names->count && there->address == address) {
    if (there->rank >= rank) {
      free(name);
      return true;
    }
    free(there->name);
    there->name = name;
    there->rank = rank;
    return true;
  }
  if (names->count == names->capacity) {
    size_t capacity = names->capacity ? 2 * names->capacity : 256;
    struct lost_name *grown =
        reallocarray(names->list, capacity, sizeof *grown);
    if (!grown) {
      free(name);
      return false;
    }
    names->list = grown;
    names->capacity = capacity;
  }
  memmove(names->list + at + 1, names->list + at,
          (names->count - at) * sizeof *names->list);
  names->list[at] = (struct lost_name){address, name, rank};
  names->count++;
  return true;
}

const char *lost_names_add(struct pyheap *heap, uint64_t address, char *name) {
  if (!add(&heap->types.lost, address, name, RANK_C))
    return NULL;
  return lost_names_get(heap, address);
}

/* The modules ------------------------------------------------------------- */

/** Whether the object at ADDRESS is a static type with a name that cannot be
 * read. */
static bool is_nameless(const struct pyheap *heap, uint64_t address) {
  struct object object;
  const char *why;
  if (!object_load(heap, address, &object, &why) ||
      !(object.type->flags & TPFLAGS_TYPE_SUBCLASS))
    return false;
  const struct layout *layout = heap->layout;
  if (object_field(&object, OFFSET(layout, PyTypeObject, tp_flags)) &
      TPFLAGS_HEAPTYPE)
    return false;
  return !memory_string(
      &heap->memory,
      object_field(&object, OFFSET(layout, PyTypeObject, tp_name)), MAX_LENGTH);
}

/** One module that is looked through. */
struct module {
  const char *name;
  bool is_c;
  uint16_t version; /**< Of the interpreter, as struct layout has it. */
};

/** The name that MODULE's KEY stands for, and how sure that is. */
static char *name_of(const struct module *module, const char *key,
                     enum rank *rank) {
  char *name = NULL;

  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
    if (is_alias(&aliases[i], module->name, key, module->version)) {
      *rank = RANK_SPECIAL;
      return strdup(aliases[i].name);
    }
  if (strcmp(module->name, "builtins") == 0) {
    *rank = RANK_BUILTIN;
    return strdup(key);
  }
  if (asprintf(&name, "%s.%s", module->name, key) < 0)
    return NULL;
  *rank = module->is_c ? RANK_C : RANK_PYTHON;
  if (types_has_row(name)) {
    *rank = RANK_KNOWN;
  } else if (strcmp(module->name, "_collections_abc") == 0 ||
             types_has_row(key)) {
    /* That module calls types by their own names that have none elsewhere. */
    *rank = RANK_KNOWN;
    memmove(name, key, strlen(key) + 1);
  }
  return name;
}

static struct pyheap_error *
take_types(struct pyheap *heap, const struct module *module, uint64_t dict) {
  uint64_t position = 0, key, value;
  struct dict entries;

  if (!dict_open(heap, dict, &entries))
    return NULL;
  while (dict_next(&entries, &position, &key, &value)) {
    enum rank rank;
    if (!is_nameless(heap, value))
      continue;
    cleanup_free char *text = text_utf8(heap, key, MAX_LENGTH);
    char *name = text ? name_of(module, text, &rank) : NULL;
    if (text && (!name || !add(&heap->types.lost, value, name, (int)rank)))
      return &error_no_memory;
  }
  return NULL;
}

static uint64_t type_of(const struct pyheap *heap, uint64_t address) {
  return heap_word(heap, address, OFFSET(heap->layout, PyObject, ob_type));
}

/** The dict of a module; 0 when the object at ADDRESS is none, for anything may
 * be in sys.modules. */
static uint64_t dict_of(const struct pyheap *heap, uint64_t address,
                        uint64_t module_type) {
  const struct layout *layout = heap->layout;
  uint64_t type = type_of(heap, address);
  if (type != module_type &&
      heap_word(heap, type, OFFSET(layout, PyTypeObject, tp_base)) !=
          module_type)
    return 0;
  return heap_word(heap, address, OFFSET(layout, PyModuleObject, md_dict));
}

/** The __dict__ of a static type: since 3.12 INTERPRETER has those of the
 * interpreter's own types, and tp_subclasses is a number, counted from 1. */
static uint64_t type_dict(const struct pyheap *heap, uint64_t interpreter,
                          uint64_t type) {
  enum {
    MOST = 1 << 10
  };
  const struct layout *layout = heap->layout;
  uint64_t dict = heap_word(heap, type, OFFSET(layout, PyTypeObject, tp_dict));
  uint64_t number =
      heap_word(heap, type, OFFSET(layout, PyTypeObject, tp_subclasses));
  int32_t states = OFFSET(layout, PyInterpreterState, static_types);
  if (dict || states < 0 || !number || number > MOST)
    return dict;
  uint64_t state =
      interpreter + (uint64_t)states +
      (number - 1) * (uint64_t)OFFSET(layout, static_type_state, size);
  return heap_word(heap, state, OFFSET(layout, static_type_state, tp_dict));
}

struct pyheap_error *lost_names_take(struct pyheap *heap, uint64_t type,
                                     const char *name) {
  if (!type || !is_nameless(heap, type))
    return NULL;
  char *copy = strdup(name);
  return copy && add(&heap->types.lost, type, copy, RANK_SPECIAL)
             ? NULL
             : &error_no_memory;
}

static struct pyheap_error *take_special(struct pyheap *heap,
                                         uint64_t interpreter, uint64_t modules,
                                         uint64_t module_type) {
  for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
    const struct special *row = &special[i];
    uint64_t module = dict_lookup(heap, modules, row->module);
    uint64_t dict = module ? dict_of(heap, module, module_type) : 0;
    uint64_t found = dict ? dict_lookup(heap, dict, row->attribute) : 0;
    if (found && row->key) {
      dict = type_dict(heap, interpreter, found);
      found = dict ? dict_lookup(heap, dict, row->key) : 0;
    }
    if (found)
      TRY(lost_names_take(heap, type_of(heap, found), row->name));
  }
  return NULL;
}

static struct pyheap_error *take_module(struct pyheap *heap, uint64_t key,
                                        uint64_t address,
                                        uint64_t module_type) {
  uint64_t dict = dict_of(heap, address, module_type);
  cleanup_free char *name = text_utf8(heap, key, MAX_LENGTH);
  if (!dict || !name)
    return NULL;
  uint64_t definition =
      heap_word(heap, address, OFFSET(heap->layout, PyModuleObject, md_def));
  struct module module = {name, definition, heap->layout->version};
  if (definition)
    TRY(lost_names_take(heap, type_of(heap, definition), "moduledef"));
  return take_types(heap, &module, dict);
}

/** What functions in DICT, that of _frozen_importlib, lead to: for programs
 * without the module types. */
static struct pyheap_error *take_code(struct pyheap *heap, uint64_t dict) {
  const struct layout *layout = heap->layout;
  uint64_t position = 0, key, value;
  uint64_t function = dict ? dict_lookup(heap, dict, "_wrap") : 0;
  struct dict entries;

  if (!function || !dict_open(heap, dict, &entries))
    return NULL;
  uint64_t function_type = type_of(heap, function);
  uint64_t code =
      heap_word(heap, function, OFFSET(layout, PyFunctionObject, func_code));
  TRY(lost_names_take(heap, type_of(heap, code), "code"));
  while (dict_next(&entries, &position, &key, &value)) {
    uint64_t cells =
        type_of(heap, value) == function_type
            ? heap_word(heap, value,
                        OFFSET(layout, PyFunctionObject, func_closure))
            : 0;
    uint64_t cell =
        cells ? heap_word(heap, cells, OFFSET(layout, PyTupleObject, ob_item))
              : 0;
    if (cell)
      TRY(lost_names_take(heap, type_of(heap, cell), "cell"));
  }
  return NULL;
}

struct pyheap_error *lost_names_find(struct pyheap *heap) {
  const struct layout *layout = heap->layout;
  uint64_t interpreter = heap_word(
      heap, heap->runtime, OFFSET(layout, pyruntimestate, interpreters_main));
  uint64_t modules =
      heap_word(heap, interpreter, OFFSET(layout, PyInterpreterState, modules));
  uint64_t sys = dict_lookup(heap, modules, "sys");
  uint64_t module_type = sys ? type_of(heap, sys) : 0;
  uint64_t position = 0, key, value;
  struct dict entries;

  if (!module_type || !dict_open(heap, modules, &entries))
    return NULL;
  heap->types.lost.wanted = true;
  TRY(lost_names_take(heap, module_type, "module"));
  TRY(take_special(heap, interpreter, modules, module_type));
  uint64_t importlib = dict_lookup(heap, modules, "_frozen_importlib");
  TRY(take_code(heap, importlib ? dict_of(heap, importlib, module_type) : 0));
  while (dict_next(&entries, &position, &key, &value))
    TRY(take_module(heap, key, value, module_type));
  return lost_members_find(heap);
}
