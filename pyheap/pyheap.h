/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The heap of a CPython process, read from a core file, a live process or
 * through a debugger.
 *
 * Usage: describe the target, pyheap_open() it, ask, pyheap_close() it.  What
 * is costly is built when first asked for and kept: the objects by
 * pyheap_find_objects(), the references by pyheap_index_references().
 *
 * Every object has a number, its rank by address: 0 .. pyheap_object_count()-1.
 * Behind the objects come the roots (interpreters, threads, running frames and
 * what the runtime itself holds), which refer to objects and are none:
 * pyheap_object_count() .. pyheap_node_count()-1.  Both are *nodes*.
 *
 * The library never prints, never exits and trusts nothing it reads from the
 * target.  It is not thread-safe: one thread at a time calls it for one heap
 * (it uses threads of its own inside).
 */
#ifndef PYHEAP_H
#define PYHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* Errors ------------------------------------------------------------------ */

enum pyheap_error_code {
  PYHEAP_ERROR_NO_MEMORY,    /**< This process ran out of memory. */
  PYHEAP_ERROR_OS,           /**< A system call failed; the message names it. */
  PYHEAP_ERROR_NOT_CORE,     /**< The file is no ELF core file. */
  PYHEAP_ERROR_FOREIGN,      /**< Another architecture or byte order. */
  PYHEAP_ERROR_MISMATCH,     /**< The executable is not the one of the core. */
  PYHEAP_ERROR_NOT_PYTHON,   /**< No CPython runtime in the target. */
  PYHEAP_ERROR_VERSION,      /**< A CPython version that is not supported. */
  PYHEAP_ERROR_FAULT,        /**< Memory that was not saved or not mapped. */
  PYHEAP_ERROR_BAD_DATA,     /**< The target's memory contradicts itself. */
  PYHEAP_ERROR_NO_OBJECT,    /**< An address at which no object starts. */
  PYHEAP_ERROR_LIMIT,        /**< A named limit was reached. */
  PYHEAP_ERROR_CANCELED,     /**< The caller asked to stop. */
  PYHEAP_ERROR_NOT_SNAPSHOT, /**< The file is no snapshot that can be read. */
};

struct pyheap_error {
  enum pyheap_error_code code;
  uint64_t address;    /**< The address it is about, or 0. */
  const char *message; /**< One line, no trailing newline or period. */
};

/** Frees an error; NULL is fine.  Running out of memory is a static object. */
void pyheap_error_destroy(struct pyheap_error *error);

/** All functions that can fail return NULL on success, else an error that the
 * caller must destroy; output parameters are then left as they were. */
#define PYHEAP_MUST_CHECK __attribute__((warn_unused_result))

/* Opening a heap ---------------------------------------------------------- */

/** Memory as a debugger sees it. */
struct pyheap_reader {
  void *context;
  /** Reads all LENGTH bytes at ADDRESS or fails. */
  bool (*read)(void *context, uint64_t address, void *buffer, size_t length);
  /** Before a read: tells which is likely to be the next one, so that the debugger
   * may do that meanwhile.  NULL: it does not. */
  void (*expect)(void *context, uint64_t address, size_t length);
};

/** Tells how far long work is and whether to stop.  Called from the thread
 * that called the library, a few times a second at most. */
struct pyheap_progress {
  void *context;
  /** STAGE is a static text such as "finding objects"; TOTAL 0 = unknown.
   * Returns false to cancel. */
  bool (*step)(void *context, const char *stage, uint64_t done, uint64_t total);
};

/** One file mapped in the target, as a debugger resolved it. */
struct pyheap_file {
  const char *path;    /**< Where to find it on this machine. */
  uint64_t text_start; /**< Address of its first mapped byte, or of .text. */
};

/** Where a region's bytes are to be had. */
enum pyheap_region_source {
  PYHEAP_REGION_READER,     /**< From the debugger. */
  PYHEAP_REGION_FILE_FIRST, /**< From its file where that is the same, which is
                                 quicker; else from the debugger. */
  PYHEAP_REGION_FILE,       /**< From its file or not at all: the debugger might
                                 make up zeros. */
};

/** One mapping of the target, as a debugger lists them. */
struct pyheap_region {
  uint64_t start, end;
  uint64_t offset;  /**< Of START in the file, bytes. */
  const char *path; /**< The mapped file as the target names it, or NULL. */
  bool writable;
  enum pyheap_region_source source;
};

/** What a thread of the target was at, as a debugger shows it. */
struct pyheap_thread {
  pid_t id;                          /**< The kernel's. */
  struct user_regs_struct registers; /**< The general ones and fs_base; 0 where
                                          the debugger does not know one. */
};

/** What to read: a core file, else a process, else (or where this process may
 * not read these) the regions, through the reader. */
struct pyheap_target {
  const char *core; /**< Path of a core file, or NULL. */
  const char *exe;  /**< Path of the executable, or NULL: the core names it. */
  const char *sysroot; /**< Folder below which the files that a core names are
                            looked for, or NULL: where it names them. */
  pid_t pid;           /**< A live process, or 0. */
  bool stopped;        /**< The process is stopped already (by a debugger). */
  const struct pyheap_reader *reader;     /**< Or NULL. */
  const struct pyheap_progress *progress; /**< Or NULL. */
  const struct pyheap_file *files;        /**< What a debugger resolved. */
  size_t file_count;
  const struct pyheap_region *regions; /**< What the reader can read. */
  size_t region_count;
  const struct pyheap_thread *stopped_threads; /**< With regions: those of the
                                                    target. */
  size_t stopped_thread_count;
  uint64_t entry;   /**< With regions: where the program starts, 0: unknown. */
  uint64_t random;  /**< With regions: AT_RANDOM of the program, 0: unknown. */
  unsigned threads; /**< 0: as many as there are processors. */
};

struct pyheap;

/**
 * Opens the target, finds and checks its CPython runtime.
 * @param[out] ret The heap; destroy with pyheap_close().
 * Errors: all codes but NO_OBJECT.  The strings of TARGET are copied; the
 * reader and progress callbacks must outlive the heap.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_open(const struct pyheap_target *target, struct pyheap **ret);
void pyheap_close(struct pyheap *heap);
/** Whether a stopped process still holds what was copied of it: a debugger may
 * have written to its memory.  A core file always does; where the answer cannot
 * be had, as through a reader, it is false. */
bool pyheap_is_current(const struct pyheap *heap);

/** Finds every object (idempotent).  Everything below needs it, but
 * pyheap_info(). */
PYHEAP_MUST_CHECK struct pyheap_error *pyheap_find_objects(struct pyheap *heap);
/** Finds the orphans (idempotent): objects in blocks that the small-object
 * allocator holds as in use and that nothing was found to lead to, and what only
 * these lead to.  They become nodes, so the numbers of all nodes change and the
 * index of references must be built again. */
PYHEAP_MUST_CHECK struct pyheap_error *pyheap_find_orphans(struct pyheap *heap);
/** Builds the index of references in both directions (idempotent). */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_index_references(struct pyheap *heap);

/* Saving what was found ---------------------------------------------------- */

/** Writes all objects and the index of references to the file PATH, which another
 * session can load in a fraction of the time that finding them took; what is not
 * found yet is found first.  The file is replaced at once or not at all.
 * Errors: OS (also: the heap is that of no core file), those of finding. */
PYHEAP_MUST_CHECK struct pyheap_error *pyheap_save_index(struct pyheap *heap,
                                                         const char *path);
/** Takes the index in the file PATH over, if objects were not found yet: then all
 * is as after pyheap_find_orphans() and pyheap_index_references().  Errors: OS
 * (no such file, or it cannot be read), MISMATCH (of another core or version, or
 * another user's), BAD_DATA (damaged), NO_MEMORY; all is as before then. */
PYHEAP_MUST_CHECK struct pyheap_error *pyheap_load_index(struct pyheap *heap,
                                                         const char *path);
/** What tells this core, and how it is read, from others; 0 without a core file.
 */
uint64_t pyheap_identity(const struct pyheap *heap);

/* What was found ---------------------------------------------------------- */

/** Something that could not be read or understood, counted by kind. */
struct pyheap_problem {
  const char *what; /**< Such as "type pointer that is no type". */
  uint64_t address; /**< Where it was first seen. */
  uint64_t count;
};

struct pyheap_info {
  uint32_t hexversion; /**< As sys.hexversion, 0x030b02f0 for 3.11.2. */
  char version[24];    /**< "3.11.2" */
  bool debug;          /**< A --with-pydebug build. */
  bool free_threaded;
  const char *recognised; /**< How the runtime was found, in words. */
  const char *source;     /**< "core file PATH", "process 123", … */
  const char *exe;        /**< The file that holds the runtime, or NULL: where
                                it is read, for a process as that names it. */
  uint64_t runtime;       /**< Address of _PyRuntime. */
  uint32_t interpreters, threads, frames;
  bool incomplete;        /**< Memory is missing or damaged: answers may leave
                                something out.  notes and problems say what. */
  uint64_t memory_bytes;  /**< Bytes of the target that can be read. */
  uint64_t missing_bytes; /**< Bytes mapped in the target that cannot. */
  const char *const
      *notes; /**< Lines about files that are missing or differ. */
  size_t note_count;
  const struct pyheap_problem *problems;
  size_t problem_count;
  bool collecting;          /**< The collector was at work. */
  bool index_loaded;        /**< pyheap_load_index() did. */
  uint32_t collector_lists; /**< Lists of its own that were found then. */
  /* From here on 0 before pyheap_find_objects(). */
  uint64_t tracked, reachable, roots;
  uint64_t tracked_bytes, reachable_bytes;
  /* From here on 0 before pyheap_find_orphans(). */
  uint64_t orphans, orphan_bytes;
  uint64_t allocator_blocks; /**< Blocks in use that were looked into: none with
                                  PYTHONMALLOC=malloc.  Objects of more than 512
                                  bytes are not in such blocks. */
  /* From here on 0 before pyheap_index_references(). */
  uint64_t visited_references, owned_references, probable_references;
  uint64_t refuted_references; /**< Looked probable, but the count of what they
                                    refer to has no room for them. */
  uint64_t refcount_exact;     /**< Objects whose ob_refcnt is explained. */
  uint64_t refcount_guessed;   /**< … of these, by probable references too. */
  uint64_t refcount_high; /**< … that have more than references were found. */
  uint64_t refcount_low;  /**< … that have fewer. */
};

/** Valid until the next call that takes the heap. */
const struct pyheap_info *pyheap_info(struct pyheap *heap);

/* Nodes: objects and roots ------------------------------------------------ */

typedef uint32_t pyheap_node;
#define PYHEAP_NO_NODE UINT32_MAX

pyheap_node pyheap_object_count(const struct pyheap *heap);
pyheap_node pyheap_node_count(const struct pyheap *heap);
/** The object that starts at ADDRESS, or a root of that address, or
 * PYHEAP_NO_NODE. */
pyheap_node pyheap_node_at(const struct pyheap *heap, uint64_t address);
/** The object before (or at) and after ADDRESS; PYHEAP_NO_NODE at the ends. */
void pyheap_nodes_near(const struct pyheap *heap, uint64_t address,
                       pyheap_node *before, pyheap_node *after);
uint64_t pyheap_address(const struct pyheap *heap, pyheap_node node);
/** The memory that is the object itself, from the first byte of what CPython
 * keeps before it (the collector's header, the pointer to its __dict__) to
 * behind its last; tables that it allocates apart are outside.  False for a
 * root. */
bool pyheap_extent(const struct pyheap *heap, pyheap_node object,
                   uint64_t *start, uint64_t *end);
bool pyheap_is_root(const struct pyheap *heap, pyheap_node node);

enum pyheap_root_kind {
  PYHEAP_ROOT_RUNTIME, /**< Static objects and what C variables hold. */
  PYHEAP_ROOT_INTERPRETER,
  PYHEAP_ROOT_THREAD,
  PYHEAP_ROOT_FRAME, /**< A running Python function. */
  PYHEAP_ROOT_STACK, /**< A thread's C functions; address: of its stack. */
};
enum pyheap_root_kind pyheap_root_kind(const struct pyheap *heap,
                                       pyheap_node root);
/** "interpreter 0", "thread 4711", "frame handler (app.py:42)", "C stack of
 * thread 4711". */
const char *pyheap_root_name(const struct pyheap *heap, pyheap_node root);

/* Interpreters ------------------------------------------------------------ */

/** Interpreters are numbered by ascending id: 0 .. pyheap_interpreter_count()-1,
 * at least one.  Two more numbers stand for what is no one interpreter's. */
enum {
  PYHEAP_INTERPRETER_SHARED = -1,  /**< Of several, or static. */
  PYHEAP_INTERPRETER_UNKNOWN = -2, /**< Nothing tells: some orphans; in 3.8
                                        garbage, too. */
};

struct pyheap_interpreter {
  int64_t id;       /**< As Python's own functions have it; 0: the main one. */
  uint64_t address; /**< Of its PyInterpreterState. */
  uint32_t threads;
  /** Whether it has a GIL of its own.  Up to 3.11 all share one, and
   * free-threaded builds run without unless they are told to. */
  enum pyheap_gil {
    PYHEAP_GIL_ONE,    /**< One for all, or none. */
    PYHEAP_GIL_SHARED, /**< That of the main interpreter. */
    PYHEAP_GIL_OWN,
  } gil;
  /* From here on 0 before pyheap_find_interpreters(). */
  uint64_t tracked; /**< Objects that the collector tracks. */
  uint64_t objects; /**< All, tracked or not. */
  uint64_t bytes;   /**< What these weigh. */
};

uint32_t pyheap_interpreter_count(const struct pyheap *heap);
/** INDEX may be PYHEAP_INTERPRETER_SHARED or PYHEAP_INTERPRETER_UNKNOWN too, for
 * the totals of these.  Valid until pyheap_close(). */
const struct pyheap_interpreter *pyheap_interpreter(const struct pyheap *heap,
                                                    int32_t index);
/** Finds out which interpreter each object belongs to (idempotent; forgotten
 * when pyheap_find_orphans() gives objects other numbers). */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_find_interpreters(struct pyheap *heap);
/**
 * The interpreter that NODE belongs to.  With only one, all is its.  With
 * several:
 *
 * - an object that an interpreter's collector tracks is that interpreter's,
 *   whatever else refers to it: it is on the collector's lists or, in
 *   free-threaded builds, which have none, in memory of that interpreter's
 *   threads;
 * - in 3.8, where all interpreters have the same lists, the modules in an
 *   interpreter's sys.modules are that interpreter's, and so are the dicts of
 *   what these define;
 * - static objects, such as None and the builtin types, are shared;
 * - any other object is of whatever refers to it: of the one interpreter whose
 *   objects, frames, threads or state do, directly or through others such;
 *   shared when those of several do.  Guessed references and tables of interned
 *   strings count only where nothing else leads to the object;
 * - what only C variables hold is shared;
 * - what nothing leads to is of whatever it refers to.
 *
 * A root is its interpreter's; static memory is shared.  For objects, needs
 * pyheap_find_interpreters() when there are several.
 */
int32_t pyheap_interpreter_of(const struct pyheap *heap, pyheap_node node);

/** As sys.getsizeof(), in bytes; 0 for a root. */
uint64_t pyheap_size(const struct pyheap *heap, pyheap_node object);
/** False when the object's own numbers cannot be true, as in damaged memory:
 * pyheap_size() is then the least that it can be. */
bool pyheap_size_certain(const struct pyheap *heap, pyheap_node object);
/** ob_refcnt; -1 for an immortal object, 0 for a root.  Of a free-threaded build:
 * what the object itself and, since 3.14, the threads count, less what marks
 * deferred counting; INT64_MIN when that is negative, which cannot be. */
int64_t pyheap_refcount(const struct pyheap *heap, pyheap_node object);
/** Whether pyheap_find_orphans() found it. */
bool pyheap_is_orphan(const struct pyheap *heap, pyheap_node object);
/** As gc.is_tracked(). */
bool pyheap_is_tracked(const struct pyheap *heap, pyheap_node object);
/** 0, 1, 2; 3 for the permanent generation; -1 for what is in none. */
int pyheap_generation(const struct pyheap *heap, pyheap_node object);
/** len() of the containers and strings of the interpreter; -1 for others. */
int64_t pyheap_length(const struct pyheap *heap, pyheap_node object);
/**
 * The value in short, in at most LIMIT characters (… when cut): numbers and
 * strings as repr() has them, ints of more than 1,920 bits by how many they have,
 * containers as "len=3", exceptions by their arguments, functions, modules,
 * types, frames and code by name, other instances of classes by their first
 * attributes, "" where there is none to show.
 * @param[out] ret Printable UTF-8, without control characters; free() it.
 */
PYHEAP_MUST_CHECK struct pyheap_error *pyheap_value(const struct pyheap *heap,
                                                    pyheap_node node,
                                                    size_t limit, char **ret);
/** Whether that value is made of the object's attributes. */
bool pyheap_value_is_attributes(const struct pyheap *heap, pyheap_node node);

/* Types ------------------------------------------------------------------- */

struct pyheap_type {
  uint64_t address;
  /** Module and qualified name; builtins bare.  UTF-8 from the target, may
   * hold control characters: escape it. */
  const char *name;
  uint32_t
      module_length;   /**< Bytes of `name` that are the module's, without the
                               dot behind it; 0: builtins. */
  uint32_t base;       /**< Index of tp_base, or UINT32_MAX. */
  const uint32_t *mro; /**< Indexes of __mro__ (itself first). */
  uint32_t mro_count;
  bool layout_known; /**< false: references of instances may be guesses. */
};
/** Types are numbered 0 .. pyheap_type_count()-1, in no order. */
uint32_t pyheap_type_count(const struct pyheap *heap);
const struct pyheap_type *pyheap_type(const struct pyheap *heap,
                                      uint32_t index);
/** The index of an object's type; UINT32_MAX for a root. */
uint32_t pyheap_type_of(const struct pyheap *heap, pyheap_node object);
/** Whether a class along the __mro__ of type INDEX has a __sizeof__ that is not
 * known here: what sys.getsizeof() says of an instance may then be more than
 * pyheap_size(). */
bool pyheap_type_sizes_itself(const struct pyheap *heap, uint32_t index);

/* References -------------------------------------------------------------- */

enum pyheap_reference_kind {
  PYHEAP_VISITED, /**< What the type's tp_traverse visits (gc.get_referents). */
  PYHEAP_OWNED,   /**< Every other strong reference. */
  PYHEAP_PROBABLE, /**< Found by scanning an object of unknown layout. */
};

enum pyheap_name_form {
  PYHEAP_NAME_TEXT,      /**< value: const char *, shown as it is. */
  PYHEAP_NAME_ATTRIBUTE, /**< value: address of a str:  .cache */
  PYHEAP_NAME_ITEM,      /**< value: address of the key: ['sessions'] */
  PYHEAP_NAME_KEY,       /**< value: address of the key: key 'sessions' */
  PYHEAP_NAME_INDEX,     /**< value: the index:          [3] */
  PYHEAP_NAME_LOCAL,     /**< value: address of a str:   local req */
  PYHEAP_NAME_STACK,     /**< value: the index:          stack 2 */
  PYHEAP_NAME_OFFSET,    /**< value: byte offset:        +0x28? */
  PYHEAP_NAME_BLOCK,     /**< value: byte offset in the low half, and that in
                            the block it leads to:       +0x28->+0x10? */
  PYHEAP_NAME_STATIC,    /**< value: address of a C variable: NAME in FILE */
};

struct pyheap_name {
  enum pyheap_name_form form;
  uint64_t value;
};

struct pyheap_reference {
  uint64_t target; /**< Address of the object referred to.  In damaged
                                  memory there may be none, but not where the
                                  reference is only probable. */
  enum pyheap_reference_kind kind;
  struct pyheap_name name;
  bool uncounted; /**< The target's ob_refcnt leaves it out. */
};

/**
 * Every reference that NODE holds, with multiplicity, in the order in which
 * its type visits them, owned ones last.  Needs pyheap_find_objects().  After
 * pyheap_index_references() those probable ones are left out that it refuted,
 * so that this is the same as what pyheap_referrers() has.
 * FN returns false to stop.
 */
typedef bool pyheap_reference_fn(void *context,
                                 const struct pyheap_reference *reference);
void pyheap_referents(const struct pyheap *heap, pyheap_node node,
                      pyheap_reference_fn *fn, void *context);
/** Those of them that lead to the object at TARGET, which is not 0, and the same
 * in less time.  ONE: pyheap_referrers() has NODE once, so that no other is looked
 * for.  Returns how many others it came across. */
uint64_t pyheap_referents_to(const struct pyheap *heap, pyheap_node node,
                             uint64_t target, bool one, pyheap_reference_fn *fn,
                             void *context);

/**
 * The nodes that refer to OBJECT, ascending, each once for every reference.
 * Needs pyheap_index_references().  Valid until pyheap_close() or
 * pyheap_find_orphans().
 */
const pyheap_node *pyheap_referrers(const struct pyheap *heap,
                                    pyheap_node object, size_t *count);

/** OBJECT's ob_refcnt less the references found to it: 0 when it is fully
 * explained.  False when the count says nothing (an immortal object, or a static
 * one, to which other static data refers without counting).  Needs
 * pyheap_index_references(). */
bool pyheap_refcount_excess(const struct pyheap *heap, pyheap_node object,
                            int64_t *excess);

/** A reference's name as text, printable; LIMIT characters at most.  free() */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_name_text(const struct pyheap *heap, struct pyheap_name name,
                 size_t limit, char **ret);

/* Analyses ---------------------------------------------------------------- */

struct pyheap_summary_row {
  uint32_t type;
  uint64_t count;
  uint64_t bytes;
};

enum pyheap_set {
  PYHEAP_REACHABLE, /**< Without the orphans. */
  PYHEAP_TRACKED,   /**< On the collector's lists. */
  PYHEAP_ORPHANS,
};

/**
 * Counts the objects of a set by type.  Of a heap whose objects were not found
 * yet, the tracked ones are counted without finding the others, where the
 * collector's lists are whole.
 * @param[out] ret Array of *COUNT rows, unsorted, no empty row; free() it.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_summarize(struct pyheap *heap, enum pyheap_set set,
                 struct pyheap_summary_row **ret, size_t *count);

/* Selecting --------------------------------------------------------------- */

/** Whether objects of a kind are wanted. */
enum pyheap_wanted {
  PYHEAP_EITHER,
  PYHEAP_ONLY,
  PYHEAP_WITHOUT,
};

/** Which objects are meant: all that fit every member.  PYHEAP_ANY_OBJECT
 * initialises it to all but the orphans.  Bounds are inclusive. */
struct pyheap_filter {
  const bool *types;   /**< By type index; NULL: any type. */
  uint32_t type_count; /**< How many `types` has; others are not wanted. */
  uint64_t min_size, max_size; /**< Bytes. */
  /** What has no length, or a count that says nothing (an immortal object), is
   * left out as soon as there is a bound. */
  uint64_t min_length, max_length;
  uint64_t min_refcount, max_refcount;
  uint64_t from, to;    /**< Addresses. */
  unsigned generations; /**< Bit N: generation N is wanted; 0: any or none. */
  enum pyheap_wanted tracked, immortal;
  enum pyheap_wanted orphans; /**< Needs pyheap_find_orphans(). */
  bool of_interpreter; /**< Only objects of `interpreter`, which then needs
                            pyheap_find_interpreters(). */
  int32_t interpreter; /**< As pyheap_interpreter_of() has it. */
};

#define PYHEAP_ANY_OBJECT                                                      \
  {                                                                            \
    .max_size = UINT64_MAX, .max_length = UINT64_MAX,                          \
    .max_refcount = UINT64_MAX, .to = UINT64_MAX, .orphans = PYHEAP_WITHOUT    \
  }

enum {
  PYHEAP_SELECTION_BATCH = 1 << 14, /**< Nodes: whole words of bits. */
};

/** Objects that were selected. */
struct pyheap_selection {
  uint64_t *bits;  /**< Bit N % 64 of word N / 64: object N is one of them. */
  pyheap_node end; /**< Objects that there are bits for. */
  uint64_t count, bytes;           /**< Of those selected. */
  struct pyheap_summary_row *rows; /**< The same by type; no row is empty. */
  size_t row_count;
  uint64_t *largest; /**< Of each batch of nodes: bytes of the largest, or 0. */
};

/**
 * Looks at every object, in parallel.  Needs pyheap_find_objects().
 * @param[out] ret pyheap_selection_deinit() it.  It is about the nodes as they
 * are numbered now.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_select(struct pyheap *heap, const struct pyheap_filter *filter,
              struct pyheap_selection *ret);
void pyheap_selection_deinit(struct pyheap_selection *selection);

static inline bool pyheap_is_selected(const struct pyheap_selection *selection,
                                      pyheap_node node) {
  return node < selection->end && selection->bits[node / 64] >> node % 64 & 1;
}

/** What comes first when objects are listed; of equals, the lower address. */
enum pyheap_order {
  PYHEAP_BY_SIZE,     /**< The largest; ascending: the smallest. */
  PYHEAP_BY_ADDRESS,  /**< The lowest, whatever the direction. */
  PYHEAP_BY_REFCOUNT, /**< The most referred to, immortal ones before. */
  PYHEAP_BY_LENGTH,   /**< The longest; those without a length come last. */
  PYHEAP_BY_TYPE,     /**< From A to Z, whatever the direction. */
};

/**
 * The first LIMIT selected objects in an order, found in parallel.
 * @param[out] ret Array of *COUNT nodes; free() it.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_order_selected(struct pyheap *heap,
                      const struct pyheap_selection *selection,
                      enum pyheap_order order, bool ascending, uint64_t limit,
                      pyheap_node **ret, size_t *count);

/** How finely pyheap_group_selected() tells objects apart. */
enum pyheap_detail {
  PYHEAP_DETAIL_TYPE = 1, /**< By type. */
  /** Also functions by name, "function (app.views.index)", modules by name, dicts,
   * lists and sets by length, "dict, len=3", frame objects by name and first line
   * of their code; not those of subclasses. */
  PYHEAP_DETAIL_NAME,
  PYHEAP_DETAIL_PLACE, /**< Frame objects by file, too. */
};

/** Objects of one kind. */
struct pyheap_group {
  uint32_t type; /**< Of one of them at least. */
  char *name;    /**< Printable; NULL: the type's. */
  uint64_t count, bytes;
};

/**
 * Counts the selected objects by kind.
 * @param[out] ret Array of *COUNT groups, unsorted; two may have one name.
 * pyheap_groups_destroy() it.
 */
PYHEAP_MUST_CHECK struct pyheap_error *pyheap_group_selected(
    struct pyheap *heap, const struct pyheap_selection *selection,
    enum pyheap_detail detail, struct pyheap_group **ret, size_t *count);
void pyheap_groups_destroy(struct pyheap_group *groups, size_t count);

/** The first selected object from NODE on, or PYHEAP_NO_NODE. */
static inline pyheap_node
pyheap_next_selected(const struct pyheap_selection *selection,
                     pyheap_node node) {
  for (; node < selection->end; node = (node / 64 + 1) * 64) {
    uint64_t bits = selection->bits[node / 64] >> node % 64;
    if (bits)
      return node + (pyheap_node)__builtin_ctzll(bits);
  }
  return PYHEAP_NO_NODE;
}

/** Whether an object is of the program rather than of its data: a type, a
 * module, the dict that is a module's namespace, a code object, the frame of a
 * running function.  Through these everything leads to everything.  Needs
 * pyheap_index_references(). */
bool pyheap_is_program(const struct pyheap *heap, pyheap_node node);

/** What some nodes lead to. */
struct pyheap_reach;

struct pyheap_reach_totals {
  uint64_t objects, bytes; /**< All that was reached, the start included. */
  uint64_t retained_objects, retained_bytes; /**< Of these, what only the
      start holds: what would be freed if it went away. */
  uint64_t left_out;  /**< Objects that were reached and not followed. */
  uint64_t uncertain; /**< Objects whose sizes are the least they can be. */
  uint64_t sizing_themselves; /**< See pyheap_type_sizes_itself(). */
};

/**
 * Follows every reference from the COUNT nodes of STARTS, each of which may be
 * there once.  References to the program (see pyheap_is_program()) are followed
 * with PROGRAM only, and from the start itself; a module that is a start leads
 * to its namespace.
 * @param[out] ret Destroy it before anything changes the heap's numbers.
 * Takes about 50 bytes an object reached and 4 a node of the heap.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_reach_create(struct pyheap *heap, const pyheap_node *starts,
                    size_t count, bool program, struct pyheap_reach **ret);
void pyheap_reach_destroy(struct pyheap_reach *reach);
struct pyheap_reach_totals
pyheap_reach_totals(const struct pyheap_reach *reach);

/** The share of one node in what was reached. */
struct pyheap_share {
  pyheap_node owner; /**< The last node that every way from the start goes
                          through before it; PYHEAP_NO_NODE: none, or it is a
                          start. */
  uint64_t size;     /**< pyheap_size() */
  uint64_t bytes;    /**< Of it and what one gets to from the start only by way
                          of it: that of all whose owner it is, and its own. */
  uint64_t retained; /**< Of it and what only it holds, in the whole heap. */
};
/** Finds the shares (idempotent). */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_reach_divide(struct pyheap_reach *reach);
/** False for a node that was not reached, and before pyheap_reach_divide(). */
bool pyheap_reach_share(const struct pyheap_reach *reach, pyheap_node node,
                        struct pyheap_share *ret);

/** Of each node the one that holds it alone: its dominator, the last node that
 * every way from outside goes through before it.  Ways begin at the roots, and
 * at objects that something unseen holds. */
struct pyheap_dominators;

/**
 * Finds the dominators of the whole heap.
 * @param[out] ret Destroy it before anything changes the heap's numbers.
 * Takes some 45 bytes a node while it works, and 32 later.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_dominators_create(struct pyheap *heap, struct pyheap_dominators **ret);
void pyheap_dominators_destroy(struct pyheap_dominators *dominators);
/** @param[out] ret PYHEAP_NO_NODE: no single node holds it.
 * False for garbage, which nothing alive leads to, and for dicts of interned
 * strings. */
bool pyheap_dominator(const struct pyheap_dominators *dominators,
                      pyheap_node node, pyheap_node *ret);
/** Bytes of a node and all that it holds, which would be freed if it went away;
 * 0 where there is no dominator.  PYHEAP_NO_NODE: of everything. */
uint64_t pyheap_retained(const struct pyheap_dominators *dominators,
                         pyheap_node node);
/** The nodes whose dominator is NODE; PYHEAP_NO_NODE: those that have none.
 * Valid as long as the dominators are. */
const pyheap_node *pyheap_dominated(const struct pyheap_dominators *dominators,
                                    pyheap_node node, size_t *count);

/** What no dominator has a part in. */
struct pyheap_unheld {
  /** Garbage: nothing alive leads to it.  Without the dicts of interned
   * strings, which hold nothing. */
  uint64_t garbage, garbage_bytes;
  uint64_t orphans, orphan_bytes; /**< Those that are not held, either. */
};
struct pyheap_unheld
pyheap_count_unheld(const struct pyheap_dominators *dominators);

/* Cycles ------------------------------------------------------------------- */

/** The reference cycles of a heap. */
struct pyheap_cycles;

/** Objects each of which leads to all the others, as many as there are. */
struct pyheap_component {
  const pyheap_node *nodes; /**< Ascending. */
  uint32_t count;           /**< 1: an object that refers to itself. */
  bool garbage; /**< Nothing but garbage refers to them: a collection would free
                     them. */
  uint64_t bytes;
};

struct pyheap_cycle_totals {
  /** Of garbage, with all that only garbage holds. */
  uint64_t garbage_objects, garbage_bytes;
  uint64_t garbage_tracked; /**< What gc.collect() would count. */
  /** Objects in cycles only by way of the program. */
  uint64_t program_objects;
};

/**
 * Finds all cycles.  References of any kind count.  Cycles through the program
 * (see pyheap_is_program()) are left out unless PROGRAM asks for them or they
 * are garbage.
 * @param[out] ret Destroy it before anything changes the heap's numbers.
 * Takes some 24 bytes an object while it works, and 8 later.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_find_cycles(struct pyheap *heap, bool program,
                   struct pyheap_cycles **ret);
void pyheap_cycles_destroy(struct pyheap_cycles *cycles);
/** The components, garbage first, then by size. */
const struct pyheap_component *
pyheap_cycle_components(const struct pyheap_cycles *cycles, size_t *count);
struct pyheap_cycle_totals
pyheap_cycle_totals(const struct pyheap_cycles *cycles);

/** One cycle: each node refers to the next, the last to the first. */
struct pyheap_cycle {
  const pyheap_node *nodes;
  size_t length;
  bool exact; /**< There is none shorter; else the search was given up. */
};
typedef void pyheap_cycle_fn(void *context, const struct pyheap_cycle *cycle);

/** Tells of one of the shortest cycles of a component. */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_shortest_cycle(struct pyheap_cycles *cycles,
                      const struct pyheap_component *component,
                      pyheap_cycle_fn *fn, void *context);
/** Tells of the shortest cycles through an object, one for each object that it
 * refers to, shortest first and LIMIT at most.
 * @param[out] total How many there are without the limit. */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_cycles_through(struct pyheap_cycles *cycles, pyheap_node object,
                      uint64_t limit, uint64_t *total, pyheap_cycle_fn *fn,
                      void *context);

#endif
