/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Where bytes come from: the target's address space, all of it mapped into
 * this process.
 *
 * A struct memory is a set of disjoint ranges of target addresses.  A range has
 * its bytes at hand (a piece of a mapped core file, of a mapped program file or
 * of a copy of a live process) or is known to be missing.  Translating an
 * address is a lookup, never a system call.  Memory that was not saved is a
 * fault, never zeros.
 */
#ifndef PYHEAP_MEMORY_H
#define PYHEAP_MEMORY_H

#include "pyheap.h"

enum memory_flags {
  MEMORY_WRITABLE = 1,
  MEMORY_EXECUTABLE = 2,
  MEMORY_FILE = 4,    /**< Mapped from a file (also when privately changed). */
  MEMORY_OBJECTS = 8, /**< Objects may live here: no code, bytes at hand. */
  MEMORY_FROM_FILE =
      16, /**< The bytes are those of a file, not the target's. */
};

struct memory_range {
  uint64_t start, end;  /**< Target addresses, END excluded. */
  uint64_t reach;       /**< Up to where bytes go on in one piece, in ranges
                             behind this one too: an object may lie in both
                             .data and .bss. */
  const uint8_t *bytes; /**< NULL: mapped in the target, not to be had here. */
  uint32_t flags;
  uint64_t bit;        /**< How many granules come before it, see below. */
  uint64_t bit_offset; /**< Of the bit of an address from its granule. */
};

/** A file mapped in the target, as NT_FILE or /proc/PID/maps tells. */
struct memory_file {
  uint64_t start, end;
  uint64_t offset;   /**< Of START in the file, bytes. */
  const char *path;  /**< As the target names it. */
  const char *local; /**< Where it was found on this machine, or NULL. */
  bool checked;      /**< Its build-id is that of the target's copy. */
  bool mismatch;     /**< Its build-id is not. */
};

enum {
  MEMORY_MAX_RANGES = 1 << 20,
  MEMORY_GRANULE = 8,
  MEMORY_MAX_STACK = 64 << 20, /**< Bytes of one thread. */
};

/** What a thread of the target was at: its registers and its C stack. */
struct memory_stack {
  pid_t thread;           /**< The kernel's id. */
  uint64_t start, end;    /**< The part of its stack that is in use. */
  uint64_t registers[15]; /**< All that may hold a pointer but the stack's. */
};

struct memory {
  struct memory_range *ranges; /**< Ascending, disjoint; behind the last is one
                                    that begins behind all memory. */
  size_t range_count;
  struct memory_file *files;
  size_t file_count;
  /** Bits of a bitmap with one bit for every granule of 8 bytes of the
   * MEMORY_OBJECTS ranges. */
  uint64_t bit_count;
  uint64_t present_bytes, missing_bytes;
  bool truncated; /**< A core file that ends before its memory does. */
  /** Where C variables are: the writable segments (.data, .bss) of the mapped
   * programs and libraries. */
  struct memory_static {
    uint64_t start, end;
    size_t file; /**< Index in files[]. */
  } * statics;
  size_t static_count;

  /** Of a core file: a sum of its size, time, program headers and notes, which
   * hold the threads' registers.  0 for what is no file. */
  uint64_t identity;
  uint64_t entry;  /**< AT_ENTRY, 0 when unknown. */
  uint64_t random; /**< AT_RANDOM, 0 when unknown. */
  pid_t pid;
  pid_t *threads; /**< Kernel ids of the threads. */
  size_t thread_count;
  struct memory_stack *stacks; /**< Of the threads of which the target tells. */
  size_t stack_count;
  const char *exe; /**< The program's path on this machine, or NULL. */
  char **notes;    /**< Lines to tell the user. */
  size_t note_count;
  size_t damage_count; /**< The first so many tell what the core lacks. */

  /* Private. */
  /** For each MiB of the target's address space with bytes at hand, by tables of
   * 64 GiB: the first range with such that ends behind its start. */
  const struct memory_range **pieces[2048];
  void **mappings; /**< What to munmap: address, length pairs. */
  size_t *mapping_lengths;
  size_t mapping_count;
};

void memory_deinit(struct memory *memory);
/** Gives the pages of all mappings back to the system, by THREADS threads.  Before
 * memory_deinit(), which does by one what is left. */
void memory_give_back(const struct memory *memory, unsigned threads);

/** Opens target->core.  target->exe replaces the path that the core names for
 * its program, target->files those of the others.  Errors: OS, NOT_CORE,
 * FOREIGN, MISMATCH, LIMIT, NO_MEMORY. */
struct pyheap_error *memory_open_core(struct memory *memory,
                                      const struct pyheap_target *target);
/** Copies the memory of the process target->pid.  Unless TARGET says that it is
 * stopped already, it is stopped for the time of the copy.  Errors: OS,
 * CANCELED, LIMIT, NO_MEMORY. */
struct pyheap_error *memory_open_live(struct memory *memory,
                                      const struct pyheap_target *target,
                                      unsigned threads);
/** Whether the process still holds what was copied. */
bool memory_is_current(const struct memory *memory,
                       const struct pyheap_progress *progress,
                       unsigned threads);

/** Copies target->regions through target->reader, which is slow: a debugger
 * stands between.  Errors: CANCELED, LIMIT, OS, NO_MEMORY. */
struct pyheap_error *memory_open_remote(struct memory *memory,
                                        const struct pyheap_target *target);

/** The range with bytes at hand that ADDRESS is in, or NULL. */
static inline const struct memory_range *
memory_range_at(const struct memory *memory, uint64_t address) {
  if (address >> 47)
    return NULL;
  const struct memory_range **pieces = memory->pieces[address >> 36];
  const struct memory_range *range =
      pieces ? pieces[(address >> 20) & 0xffff] : NULL;
  if (!range)
    return NULL;
  /* Behind the last one is one that begins behind all memory. */
  for (; address >= range->start; range++)
    if (address < range->end)
      return range->bytes ? range : NULL;
  return NULL;
}

/** How many granules RANGE touches: a damaged core's may begin anywhere. */
static inline uint64_t memory_granules(const struct memory_range *range) {
  return (range->end - 1) / MEMORY_GRANULE - range->start / MEMORY_GRANULE + 1;
}

/** The index of the first range that ends behind ADDRESS. */
size_t memory_find_range(const struct memory *memory, uint64_t address);

/** LENGTH bytes at ADDRESS, or NULL when they cannot all be read in one
 * piece. */
static inline const uint8_t *memory_at(const struct memory *memory,
                                       uint64_t address, uint64_t length) {
  const struct memory_range *range = memory_range_at(memory, address);
  if (!range || length > range->reach - address)
    return NULL;
  return range->bytes + (address - range->start);
}

/** Bytes that can be read in one piece from ADDRESS on. */
static inline const uint8_t *memory_available(const struct memory *memory,
                                              uint64_t address,
                                              uint64_t *available) {
  const struct memory_range *range = memory_range_at(memory, address);
  if (!range)
    return NULL;
  *available = range->reach - address;
  return range->bytes + (address - range->start);
}

/** All bytes that are mapped in the target. */
static inline uint64_t memory_size(const struct memory *memory) {
  return memory->present_bytes + memory->missing_bytes;
}
/** Whether LENGTH bytes at ADDRESS are mapped in the target, saved or not. */
bool memory_is_mapped(const struct memory *memory, uint64_t address,
                      uint64_t length);
/** The u64 at ADDRESS; a FAULT error when it cannot be read. */
PYHEAP_MUST_CHECK struct pyheap_error *
memory_read_u64(const struct memory *memory, uint64_t address, uint64_t *ret);
/** The C string at ADDRESS, or NULL when unreadable or longer than LIMIT. */
const char *memory_string(const struct memory *memory, uint64_t address,
                          uint64_t limit);
/** The file mapped at ADDRESS, or NULL. */
const struct memory_file *memory_file_at(const struct memory *memory,
                                         uint64_t address);

/** The build-id of the file whose mappings ADDRESS is in, or which is the last
 * before it (a file's zeroed memory follows its mappings); NULL when it cannot be
 * read. */
const uint8_t *memory_build_id(const struct memory *memory, uint64_t address,
                               size_t *size);

/** Fills statics[] from the ELF headers of the mapped files.  After the memory
 * was opened. */
struct pyheap_error *memory_find_statics(struct memory *memory);

/* For the backends. ------------------------------------------------------- */

/** Adds a range.  Of overlapping ones, those with bytes of the target win over
 * those with bytes of files, and these over missing ones. */
struct pyheap_error *memory_add(struct memory *memory, uint64_t start,
                                uint64_t end, const uint8_t *bytes,
                                uint32_t flags);
struct pyheap_error *memory_add_file(struct memory *memory, uint64_t start,
                                     uint64_t end, uint64_t offset,
                                     const char *path);
/** A piece of this process's memory for a copy of START .. END of the target:
 * what is contiguous there is so here. */
struct memory_run {
  uint64_t start, end;
  uint8_t *bytes;
};
/** Makes RUN one that holds START: it is left alone when it does, else it is
 * made anew, up to END. */
struct pyheap_error *memory_need_run(struct memory *memory,
                                     struct memory_run *run, uint64_t start,
                                     uint64_t end);
/** Takes over a mapping; memory_deinit() unmaps it. */
struct pyheap_error *memory_own_mapping(struct memory *memory, void *address,
                                        size_t length);
struct user_regs_struct;
/** Notes the registers of a thread, and that its stack begins where they say. */
struct pyheap_error *memory_add_stack(struct memory *memory, pid_t thread,
                                      const struct user_regs_struct *registers);
struct pyheap_error *memory_note(struct memory *memory, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Sorts, merges and indexes the ranges.  Once, after the last memory_add(). */
struct pyheap_error *memory_finish(struct memory *memory);
/** Lists the program at PATH as mapped where its own headers say, for a core
 * that does not tell which files were.  Before the ranges are added. */
struct pyheap_error *memory_list_program(struct memory *memory,
                                         const char *path);
/** Adds the bytes of the files mapped in the target, where they are on this
 * machine and are the same by build-id.  Before memory_finish().  Errors: OS,
 * MISMATCH (target->exe is another program), NO_MEMORY. */
struct pyheap_error *memory_fill_from_files(struct memory *memory,
                                            const struct pyheap_target *target);
#endif
