/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Work done by several threads at once.
 *
 * Plain POSIX threads, started for each piece of work, which costs tens of
 * microseconds: ThreadSanitizer sees all that they do, and none is left behind
 * when a debugger's helper waits for its next command.
 */
#ifndef PYHEAP_PARALLEL_H
#define PYHEAP_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  MAX_WORKERS = 1024,
  CACHE_LINES = 512, /**< Bytes: processors fetch ahead, for writing too. */
};

/** For structs side by side that a thread each writes: no cache line holds parts
 * of two, which would go back and forth between the processors. */
#define OWN_CACHE_LINES __attribute__((aligned(CACHE_LINES)))

/** COUNT zeroed structs of SIZE bytes that are OWN_CACHE_LINES, which calloc()
 * does not heed; NULL without memory.  free() it. */
void *parallel_calloc(size_t count, size_t size);

/** What thread THREAD of the work does; 0 is the caller's own. */
typedef void parallel_fn(void *context, unsigned thread);

/** As many threads as can run at the same time: one for each processor that this
 * one may run on. */
unsigned parallel_threads(void);

/** Runs FN for every thread below THREADS and waits for all.  They need not run
 * at the same time: where the system gives no more threads, the caller does the
 * work of the missing ones, one after the other. */
void parallel_run(unsigned threads, parallel_fn *fn, void *context);

/** Equal shares: part PART of PARTS of COUNT things begins here, and ends where
 * the next one begins. */
static inline uint64_t parallel_share(uint64_t count, uint64_t part,
                                      uint64_t parts) {
  return count / parts * part + count % parts * part / parts;
}

/** Shares that threads take as they come for them.  All of them write to it. */
struct shares {
  uint64_t next, end, size;
} OWN_CACHE_LINES;
/** Takes the next share START .. END-1; false when there is none left. */
static inline bool shares_take(struct shares *shares, uint64_t *start,
                               uint64_t *end) {
  *start = __atomic_fetch_add(&shares->next, shares->size, __ATOMIC_RELAXED);
  if (*start >= shares->end)
    return false;
  *end =
      shares->end - *start < shares->size ? shares->end : *start + shares->size;
  return true;
}

/** What is done with thing INDEX of several. */
typedef void parallel_each_fn(void *context, uint64_t index);

/** Calls FN for every index below COUNT, in THREADS threads, in any order. */
void parallel_each(unsigned threads, uint64_t count, parallel_each_fn *fn,
                   void *context);

#endif
