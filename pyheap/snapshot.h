/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * A heap at one moment, kept when the target goes on: every object in columns,
 * the types, and whose heap it was.  It can be saved to a file and compared
 * with another (difference.h); doc/snapshot-format.md describes the file.
 *
 * A snapshot needs nothing of the heap that it was taken of.
 */
#ifndef PYHEAP_SNAPSHOT_H
#define PYHEAP_SNAPSHOT_H

#include "pyheap.h"

enum {
  PYHEAP_BUILD_ID = 32, /**< Bytes of a build-id that are kept. */
};

/** Whose heap it is.  0, or an empty string, is what was not to be had. */
struct pyheap_identity {
  uint32_t hexversion; /**< As sys.hexversion. */
  bool debug, free_threaded;
  bool incomplete; /**< Memory was missing or damaged. */
  /** The process, as it calls itself: inside its own PID namespace where a
   * live one told so. */
  int32_t pid;
  /** Made of the bytes that the kernel gives each program it starts
   * (AT_RANDOM), which only a child after fork() has too. */
  uint64_t program_start;
  /** Which start of the machine, and how many clock ticks after it the process
   * started: no clock that somebody sets.  Of a live process. */
  uint64_t boot, started;
  int64_t taken;    /**< When its memory was so, microseconds since 1970; of a
                        core file, when that was last written. */
  uint64_t runtime; /**< Address of _PyRuntime. */
  uint32_t interpreters, threads, frames;
  uint8_t build_id[PYHEAP_BUILD_ID]; /**< Of the file that holds the runtime. */
  uint32_t build_id_size;
  char *exe;    /**< That file, where it was read. */
  char *source; /**< "core file PATH", "process 123". */
};

struct pyheap_snapshot_root {
  uint64_t address;
  const char *name;
  enum pyheap_root_kind kind;
};

enum pyheap_snapshot_flag {
  PYHEAP_SNAPSHOT_ORPHAN = 1,
  PYHEAP_SNAPSHOT_TRACKED = 2,
  PYHEAP_SNAPSHOT_SIZE_UNCERTAIN = 4, /**< See pyheap_size_certain(). */
  PYHEAP_SNAPSHOT_FLAGS = 7,
};

struct pyheap_snapshot {
  struct pyheap_identity identity;
  /** The most frequent first.  Behind all others, at address 0 and named "?",
   * that of objects which could not be read again, if there are any. */
  struct pyheap_type *types;
  uint32_t type_count;
  uint32_t *mros; /**< What all `mro` point into. */
  char *names;    /**< What all `name` point into. */

  /* The objects, orphans too, by ascending address: columns of COUNT. */
  uint32_t count;
  uint64_t *addresses;
  uint32_t *type_of;
  uint64_t *sizes;    /**< As sys.getsizeof(), bytes. */
  int64_t *refcounts; /**< -1: immortal. */
  uint8_t *flags;
  /** Of what never changes while the object lives: the text of a str or bytes,
   * the value of an int or float, the items of a tuple.  0: it has none.  Where
   * two of them differ, one object took the other's place. */
  uint16_t *fingerprints;

  /* What refers to them; NULL and 0 in a snapshot without references.  The
   * referrers of object n are referrers[starts[n]] .. [starts[n + 1]],
   * ascending; from COUNT on they are roots. */
  uint64_t *starts;
  uint32_t *referrers;
  struct pyheap_snapshot_root *roots;
  uint32_t root_count;
};

/**
 * Takes a snapshot of all objects of HEAP, which are found if need be, and the
 * references too if REFERENCES says so.
 * @param[out] ret Destroy with pyheap_snapshot_destroy().
 * Errors: those of pyheap_find_orphans() and pyheap_index_references().
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_snapshot_take(struct pyheap *heap, bool references,
                     struct pyheap_snapshot **ret);
void pyheap_snapshot_destroy(struct pyheap_snapshot *snapshot);
/** Bytes of memory that it takes. */
uint64_t pyheap_snapshot_memory(const struct pyheap_snapshot *snapshot);
/** Objects that could not be read again when it was taken: of these the address
 * is known, and who refers to them. */
uint32_t pyheap_snapshot_unreadable(const struct pyheap_snapshot *snapshot);
/** The object that starts at ADDRESS, or PYHEAP_NO_NODE. */
pyheap_node pyheap_snapshot_at(const struct pyheap_snapshot *snapshot,
                               uint64_t address);

/** Writes a snapshot that has its references to the file FD, from where that
 * stands.  Errors: OS, NO_MEMORY. */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_snapshot_write(const struct pyheap_snapshot *snapshot, int fd);
/**
 * Reads a file that pyheap_snapshot_write() wrote.  Nothing in it is believed
 * that was not checked.
 * @param references Whether those are wanted: without, it is quicker.
 * @param[out] ret Destroy with pyheap_snapshot_destroy().
 * Errors: NOT_SNAPSHOT, whose message names the file and what is wrong, OS,
 * NO_MEMORY.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
pyheap_snapshot_load(const char *path, bool references,
                     struct pyheap_snapshot **ret);

#endif
