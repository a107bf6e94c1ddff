/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "parallel.h"

#include <pthread.h>
#include <sched.h>
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
  cpu_set_t allowed;
  long processors = sched_getaffinity(0, sizeof allowed, &allowed) == 0
                        ? CPU_COUNT(&allowed)
                        : sysconf(_SC_NPROCESSORS_ONLN);
  return processors < 1             ? 1
         : processors > MAX_WORKERS ? MAX_WORKERS
                                    : (unsigned)processors;
}

struct start {
  parallel_fn *fn;
  void *context;
  unsigned thread;
  const cpu_set_t *processors; /**< That it may go on on, or NULL. */
  pthread_t id;
};

static void *begin(void *context) {
  const struct start *start = context;

  /* What fails leaves it where it is. */
  if (start->processors)
    sched_setaffinity(0, sizeof *start->processors, start->processors);
  start->fn(start->context, start->thread);
  return NULL;
}

/** The processor of PROCESSORS behind LAST, round and round. */
static int next_processor(const cpu_set_t *processors, int last) {
  do
    last = (last + 1) % CPU_SETSIZE;
  while (!CPU_ISSET(last, processors));
  return last;
}

/** Starts a thread, on PROCESSOR where it is told on which it may go on.  Linux may
 * leave a new thread to wait on the processor of the one that made it until the
 * next tick, 4 ms later, while others are idle. */
static bool create(struct start *start, int processor) {
  pthread_attr_t attributes;
  cpu_set_t only;
  bool created = false;

  if (start->processors && pthread_attr_init(&attributes) == 0) {
    CPU_ZERO(&only);
    CPU_SET(processor, &only);
    created =
        pthread_attr_setaffinity_np(&attributes, sizeof only, &only) == 0 &&
        pthread_create(&start->id, &attributes, begin, start) == 0;
    pthread_attr_destroy(&attributes);
  }
  return created || pthread_create(&start->id, NULL, begin, start) == 0;
}

void parallel_run(unsigned threads, parallel_fn *fn, void *context) {
  struct start starts[MAX_WORKERS];
  unsigned running = 1;
  cpu_set_t processors;
  int processor = sched_getcpu();

  if (threads > MAX_WORKERS)
    threads = MAX_WORKERS;
  bool known = threads > 1 && processor >= 0 &&
               sched_getaffinity(0, sizeof processors, &processors) == 0;
  for (; running < threads; running++) {
    struct start *start = &starts[running];
    *start = (struct start){.fn = fn,
                            .context = context,
                            .thread = running,
                            .processors = known ? &processors : NULL};
    if (known)
      processor = next_processor(&processors, processor);
    if (!create(start, processor))
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
