/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "parallel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *parallel_calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes))
    return NULL;
  void *structs = aligned_alloc(CACHE_LINES, bytes);
  return structs ? memset(structs, 0, bytes) : NULL;
}

unsigned parallel_threads(void) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  return processors < 1             ? 1
         : processors > MAX_WORKERS ? MAX_WORKERS
                                    : (unsigned)processors;
}

struct start {
  pthread_t id;
  parallel_fn *fn;
  void *context;
  unsigned thread;
};

static void *begin(void *context) {
  const struct start *start = context;
  start->fn(start->context, start->thread);
  return NULL;
}

void parallel_run(unsigned threads, parallel_fn *fn, void *context) {
  struct start starts[MAX_WORKERS];
  unsigned running = 1;

  if (threads > MAX_WORKERS)
    threads = MAX_WORKERS;
  for (; running < threads; running++) {
    struct start *start = &starts[running];
    *start = (struct start){.fn = fn, .context = context, .thread = running};
    if (pthread_create(&start->id, NULL, begin, start))
      break;
  }
  fn(context, 0);
  for (unsigned thread = running; thread < threads; thread++)
    fn(context, thread);
  for (unsigned thread = 1; thread < running; thread++)
    pthread_join(starts[thread].id, NULL);
}

struct each {
  parallel_each_fn *fn;
  void *context;
  struct shares shares;
};

static void call_each(void *context, unsigned thread) {
  struct each *each = context;
  uint64_t index, end;

  (void)thread;
  while (shares_take(&each->shares, &index, &end))
    each->fn(each->context, index);
}

void parallel_each(unsigned threads, uint64_t count, parallel_each_fn *fn,
                   void *context) {
  struct each each = {fn, context, {.end = count, .size = 1}};

  parallel_run(count < threads ? (unsigned)count : threads, call_each, &each);
}
