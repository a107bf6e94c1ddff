/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "parallel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void *parallel_calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes))
    return NULL;
  void *structs = aligned_alloc(CACHE_LINES, bytes);
  return structs ? memset(structs, 0, bytes) : NULL;
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
