/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The file in which the index of a core is kept for the next session.
 * doc/index-format.md describes it.
 */
#ifndef PYHEAP_SAVED_INDEX_H
#define PYHEAP_SAVED_INDEX_H

#include "heap.h"

enum {
  SAVED_FORMAT = 2,
  SAVED_ALIGNMENT = 64,
  SAVED_BLOCK = 1 << 20, /**< Bytes under one sum. */
  SAVED_MAX_TEXT = 4096, /**< Of all problems together. */
};

enum saved_section {
  SAVED_MARKS,     /**< u64: a bit for each granule, set where an object is. */
  SAVED_ORPHANS,   /**< The same, of those that are orphans. */
  SAVED_STARTS,    /**< u32: object_count + 1 of heap->in_starts. */
  SAVED_SOURCES,   /**< u32: heap->in_sources. */
  SAVED_UNCOUNTED, /**< u32: heap->uncounted. */
  SAVED_INTERNED,  /**< u64: heap->interned. */
  SAVED_TYPES,  /**< struct saved_type, in the order in which they were read. */
  SAVED_COUNTS, /**< u64: numbers of struct pyheap_info. */
  SAVED_PROBLEMS, /**< struct saved_problem. */
  SAVED_TEXTS,    /**< What the problems are, each ending in a NUL. */
  SAVED_SECTIONS,
};

struct saved_header {
  char magic[8]; /**< "MUPPYIDX" */
  uint32_t format;
  uint32_t size;     /**< Of the header. */
  uint64_t sum;      /**< Of the header, as if this were 0. */
  uint64_t reader;   /**< Of the program that wrote it. */
  uint64_t identity; /**< Of the core, and of how it was read. */
  uint64_t file_size;
  uint32_t object_count, root_count;
  struct {
    uint64_t offset, size, sum;
  } sections[SAVED_SECTIONS];
};

/** Totals of one type. */
struct saved_type {
  uint64_t address;
  uint64_t reachable, reachable_bytes;
  uint64_t tracked, tracked_bytes;
  uint64_t orphans, orphan_bytes;
};

struct saved_problem {
  uint64_t address, count;
  uint64_t text; /**< Offset in the texts. */
};

/** What of struct pyheap_info is saved, in this order. */
struct saved_count {
  size_t offset;
};
extern const struct saved_count saved_counts[];
extern const size_t saved_count_count;

/** The sum of a section: over the sums of its blocks, which threads make. */
uint64_t saved_sum(const struct pyheap *heap, const void *bytes,
                   uint64_t length);
/** The sum of a header. */
uint64_t saved_header_sum(const struct saved_header *header);
/** What must be the same for an index to be that of this heap. */
uint64_t saved_identity(const struct pyheap *heap);
/** What must be the same for it to be what this program would write. */
uint64_t saved_reader(const struct pyheap *heap);

#endif
