/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds every object: those on the collector's lists, then all that these and
 * the roots lead to.  An object is found when its bit is set.
 *
 * Following references is waiting for memory, so that each is looked at three
 * times, some others between: a reference first asks for the word of the bitmap
 * that says whether its target was found (struct pending), the target then for
 * its first line and, when that is there, for the table that it has elsewhere
 * (struct fetched).  Meanwhile the processor brings them. */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include "discover.h"
#include "gc_lists.h"
#include "heap.h"
#include "marks.h"
#include "parallel.h"

/* Work for several threads ------------------------------------------------- */

enum {
  MIN_GIVER = 1024,   /**< Who has more found objects gives some away, */
  MAX_GIFT = 1 << 16, /**< … and so many at the most. */
  FIRST_LINE = 16,    /**< Objects after which a first line has come, */
  TABLE = 12,         /**< … and then a table. */
};

/** What the threads share: objects that are found and not yet visited. */
struct work {
  struct pyheap *heap;
  const uint64_t *tracked; /**< A bitmap of those on the collector's lists. */
  struct shares shares;    /**< Of its words. */
  pthread_mutex_t lock;    /**< Of what follows. */
  pthread_cond_t change;
  unsigned workers, hungry; /**< HUNGRY is read without the lock. */
  struct addresses gift;
  bool stop; /**< Canceled or out of memory; read without it. */
};

static void push(struct worker *worker, uint64_t address) {
  if (!addresses_push(&worker->stack, address))
    worker->out_of_memory = true;
}

/** Keeps those of the first COUNT pending references that are news. */
static void settle(struct worker *worker, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    if (!mark_get(worker->heap->marks, worker->pending[i].bit))
      push(worker, worker->pending[i].address);
  worker->pending_count -= count;
  memmove(worker->pending, worker->pending + count,
          worker->pending_count * sizeof *worker->pending);
}

static inline __attribute__((always_inline)) void
discover(struct worker *worker, uint64_t address) {
  uint64_t bit;

  if (!mark_bit(worker->heap, address, &bit)) {
    problems_add(&worker->problems, "references to memory that cannot be read",
                 address, 1);
    return;
  }
  __builtin_prefetch(&worker->heap->marks[bit / 64]);
  if (worker->pending_count == PENDING)
    settle(worker, PENDING / 2);
  worker->pending[worker->pending_count++] = (struct pending){address, bit};
}

/** Notes that an object refers to what is none. */
static void check_references(struct visit *visit) {
  bool *sound = visit->context;
  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    struct object target;
    const char *why;
    if (reference->kind != PYHEAP_PROBABLE &&
        !object_load(visit->heap, reference->target, &target, &why))
      *sound = false;
  }
  visit->stop = !*sound;
}

bool object_is_sound(const struct pyheap *heap, uint64_t address) {
  bool sound = true;
  struct object object;
  const char *why;
  struct visit visit = {
      .heap = heap, .flush = check_references, .context = &sound};
  if (!object_load(heap, address, &object, &why))
    return false;
  object_visit(&visit, &object);
  return sound;
}

static void discover_all(struct visit *visit) {
  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    if (reference->kind == PYHEAP_PROBABLE &&
        !heap_is_marked(visit->heap, reference->target) &&
        !object_is_sound(visit->heap, reference->target))
      continue;
    discover(visit->context, reference->target);
  }
}

/** While the collector works, objects are on lists of its own, whose heads are
 * on its stack: one that a reference has led to leads to its neighbour. */
static void discover_neighbour(struct worker *worker, uint64_t address) {
  uint64_t next = gc_next_object(worker->heap, address), bit;
  struct object object;
  const char *why;
  if (next && mark_bit(worker->heap, next, &bit) &&
      object_load(worker->heap, next, &object, &why) &&
      object_is_tracked(worker->heap, &object))
    discover(worker, next);
}

/** A tracked object that a reference has led to and that was not found as others
 * are: builds without lists have all of them in segments of the allocator, of
 * which one is damaged then, and more may be lost. */
static void miss_tracked(struct worker *worker, uint64_t address) {
  if (worker->heap->layout->free_threaded)
    problems_add(&worker->problems,
                 "tracked objects that the allocator does not have", address,
                 1);
  else
    discover_neighbour(worker, address);
}

/** Counts one object that was found, and finds what it refers to. */
static void visit_found(struct worker *worker, const struct object *object,
                        bool tracked) {
  uint32_t index = object->type->index;
  uint64_t bytes;

  if (!totals_reserve(&worker->reachable, index)) {
    worker->out_of_memory = true;
    return;
  }
  if (!tracked && (object->type->flags & TPFLAGS_HAVE_GC) &&
      object_is_tracked(worker->heap, object)) {
    tracked = true;
    miss_tracked(worker, object->address);
  }
  if (!object_measure(worker->heap, object, &bytes))
    problems_add(&worker->problems, "objects whose size makes no sense",
                 object->address, 1);
  if (tracked && totals_reserve(&worker->tracked, index))
    totals_add(&worker->tracked, index, bytes);
  else if (tracked)
    worker->out_of_memory = true;
  /* Types that have no instances are known by name all the same. */
  if (object->type->flags & TPFLAGS_TYPE_SUBCLASS)
    types_get(worker->heap, object->address);
  /* A static type is referred to by its instances without a count. */
  if (!worker->reachable.list[index].count)
    discover(worker, object->type->public.address);
  totals_add(&worker->reachable, index, bytes);
  if (!object->type->leaf)
    object_visit(&worker->visit, object);
}

static const char NOT_TRACKED[] =
    "members of the collector's lists that are no objects";

/** Whether the object of an entry is news.  Its type is looked at only now. */
static bool load_fetched(struct worker *worker, struct fetched *fetched) {
  struct pyheap *heap = worker->heap;
  const char *why;

  if (!fetched->tracked && mark_get(heap->marks, fetched->bit))
    return false;
  if (!object_read(heap, &fetched->object, &why)) {
    problems_add(&worker->problems, fetched->tracked ? NOT_TRACKED : why,
                 fetched->object.address, 1);
    /* It was marked before it was looked at. */
    if (fetched->tracked)
      mark_clear(heap->marks, fetched->bit);
    return false;
  }
  if (fetched->tracked)
    return true;
  if (!mark_set(heap->marks, fetched->bit))
    return false;
  if (worker->orphans)
    mark_set(heap->orphans, fetched->bit);
  return true;
}

/* Threads that have nothing left to do ask the others --------------------- */

/** Gives the older half of the stack away, from which more is likely to come. */
static void give(struct worker *worker) {
  struct work *work = worker->work;
  size_t count = worker->stack.count / 2;

  if (count > MAX_GIFT)
    count = MAX_GIFT;
  pthread_mutex_lock(&work->lock);
  if (!work->gift.count && addresses_reserve(&work->gift, count)) {
    memcpy(work->gift.list, worker->stack.list,
           count * sizeof *work->gift.list);
    work->gift.count = count;
    worker->stack.count -= count;
    memmove(worker->stack.list, worker->stack.list + count,
            worker->stack.count * sizeof *worker->stack.list);
    pthread_cond_broadcast(&work->change);
  }
  pthread_mutex_unlock(&work->lock);
}

static bool is_stopped(const struct worker *worker) {
  return worker->out_of_memory ||
         (worker->work &&
          __atomic_load_n(&worker->work->stop, __ATOMIC_RELAXED));
}

/** Waits for a gift; false when all threads do, or have stopped. */
static bool receive(struct worker *worker) {
  struct work *work = worker->work;
  bool received = false;

  if (!work)
    return false;
  pthread_mutex_lock(&work->lock);
  __atomic_add_fetch(&work->hungry, 1, __ATOMIC_RELAXED);
  while (!work->gift.count && work->hungry < work->workers && !work->stop)
    pthread_cond_wait(&work->change, &work->lock);
  if (work->gift.count && !work->stop) {
    struct addresses empty = worker->stack;
    worker->stack = work->gift;
    work->gift = empty;
    received = true;
    __atomic_sub_fetch(&work->hungry, 1, __ATOMIC_RELAXED);
  } else {
    /* Nobody works, or nobody is to. */
    pthread_cond_broadcast(&work->change);
  }
  pthread_mutex_unlock(&work->lock);
  return received;
}

static void stop(struct work *work) {
  pthread_mutex_lock(&work->lock);
  __atomic_store_n(&work->stop, true, __ATOMIC_RELAXED);
  pthread_cond_broadcast(&work->change);
  pthread_mutex_unlock(&work->lock);
}

/** Takes a share of the tracked objects; false when there is none left. */
static bool take_share(struct worker *worker) {
  struct work *work = worker->work;
  uint64_t word, end;

  worker->share_next = worker->share_count = 0;
  while (work && !worker->share_count) {
    if (!shares_take(&work->shares, &word, &end))
      return false;
    worker->share_count =
        marks_list(work->heap, work->tracked, word, end, worker->share);
    if (worker->caller && word / MARK_SHARE % 16 == 0 &&
        heap_canceled(work->heap, "finding objects", word, work->shares.end))
      stop(work);
  }
  return work;
}

/** The next object to be visited; false when there is none for now. */
static bool take_object(struct worker *worker, uint64_t *address,
                        bool *tracked) {
  if (!worker->stack.count && worker->share_next == worker->share_count &&
      !take_share(worker))
    settle(worker, worker->pending_count);
  if (worker->stack.count) {
    *address = worker->stack.list[--worker->stack.count];
    *tracked = false;
    if (worker->stack.count > MIN_GIVER && worker->work &&
        __atomic_load_n(&worker->work->hungry, __ATOMIC_RELAXED))
      give(worker);
    return true;
  }
  if (worker->share_next == worker->share_count)
    return false;
  *address = worker->share[worker->share_next++];
  *tracked = true;
  return true;
}

/** Asks for one more object. */
static bool fetch_object(struct worker *worker) {
  struct fetched *fetched = &worker->fetched[worker->taken % FETCHED];
  uint64_t address;

  if (!take_object(worker, &address, &fetched->tracked))
    return false;
  /* Only what has a bit is taken, so that it is in a range. */
  fetched->bit = mark_range_bit(
      object_find(worker->heap, address, &fetched->object), address);
  object_prefetch_header(&fetched->object);
  worker->taken++;
  return true;
}

/** Brings the objects under way one step further.  While there are more to come,
 * each waits for its memory. */
static void advance(struct worker *worker, bool more) {
  if (worker->loaded < worker->taken &&
      (!more || worker->taken - worker->loaded > FIRST_LINE)) {
    struct fetched *fetched = &worker->fetched[worker->loaded++ % FETCHED];
    if (load_fetched(worker, fetched))
      object_prefetch(worker->heap, &fetched->object);
    else
      fetched->object.address = 0;
  }
  if (worker->visited < worker->loaded &&
      (!more || worker->loaded - worker->visited > TABLE)) {
    struct fetched *fetched = &worker->fetched[worker->visited++ % FETCHED];
    if (fetched->object.address)
      visit_found(worker, &fetched->object, fetched->tracked);
  }
}

/** Visits what was found, and what is found thereby, until nothing is left. */
static void drain(struct worker *worker) {
  do {
    bool more = true;
    while (more || worker->visited < worker->taken || worker->pending_count) {
      if (is_stopped(worker))
        return;
      more = fetch_object(worker);
      advance(worker, more);
    }
  } while (receive(worker));
}
_Static_assert(FIRST_LINE + TABLE + 2 <= FETCHED, "objects under way");

void worker_init(struct worker *worker, struct pyheap *heap) {
  *worker = (struct worker){.heap = heap};
  worker->visit.heap = heap;
  worker->visit.flush = discover_all;
  worker->visit.context = worker;
  worker->visit.problems = &worker->problems;
}

void worker_deinit(struct worker *worker) {
  free(worker->stack.list);
  totals_deinit(&worker->tracked);
  totals_deinit(&worker->reachable);
}

void worker_discover(struct worker *worker, uint64_t address) {
  discover(worker, address);
  drain(worker);
}

/* The whole heap ---------------------------------------------------------- */

struct tracked_visit {
  struct work work;
  struct worker *workers;
};

static void visit_shares(void *context, unsigned thread) {
  struct tracked_visit *visit = context;
  struct worker *worker = &visit->workers[thread];

  worker->work = &visit->work;
  worker->caller = thread == 0;
  worker->share = malloc(MARK_SHARE_BITS * sizeof *worker->share);
  worker->out_of_memory = !worker->share;
  pthread_mutex_lock(&visit->work.lock);
  visit->work.workers++;
  pthread_mutex_unlock(&visit->work.lock);
  drain(worker);
  if (worker->out_of_memory)
    stop(&visit->work);
  free(take(worker->share));
  worker->work = NULL;
}

/** Visits the objects of the bitmap TRACKED, and all that is new from there, in
 * parallel. */
static bool visit_tracked(struct pyheap *heap, struct worker *workers,
                          const uint64_t *tracked) {
  struct tracked_visit visit = {
      .work = {.heap = heap,
               .tracked = tracked,
               .shares = {.end = mark_words(heap), .size = MARK_SHARE}},
      .workers = workers};

  pthread_mutex_init(&visit.work.lock, NULL);
  pthread_cond_init(&visit.work.change, NULL);
  parallel_run(heap->threads, visit_shares, &visit);
  pthread_cond_destroy(&visit.work.change);
  pthread_mutex_destroy(&visit.work.lock);
  free(visit.work.gift.list);
  return !visit.work.stop;
}

/** Marks what a root refers to before more of it is looked at: what static
 * memory is taken to refer to depends on which objects are known. */
static void discover_at_once(struct visit *visit) {
  discover_all(visit);
  drain(visit->context);
}

/** Visits the roots; those last of which it is guessed what they refer to. */
static void visit_roots(struct pyheap *heap, struct worker *worker) {
  struct visit visit = {.heap = heap,
                        .flush = discover_at_once,
                        .context = worker,
                        .problems = &worker->problems};
  for (int guessed = 0; guessed < 2; guessed++)
    for (size_t i = 0; i < heap->root_count; i++) {
      enum pyheap_root_kind kind = heap->roots[i].kind;
      if ((kind == PYHEAP_ROOT_RUNTIME || kind == PYHEAP_ROOT_STACK) == guessed)
        root_visit(&visit, &heap->roots[i]);
    }
}

static struct pyheap_error *add_totals(struct pyheap *heap,
                                       const struct worker *workers) {
  heap->row_count = heap->types.count;
  heap->tracked_rows = calloc(heap->row_count, sizeof *heap->tracked_rows);
  heap->reachable_rows = calloc(heap->row_count, sizeof *heap->reachable_rows);
  if (!heap->tracked_rows || !heap->reachable_rows)
    return &error_no_memory;
  for (unsigned w = 0; w < heap->threads; w++) {
    totals_add_to(&workers[w].tracked, heap->tracked_rows, heap->row_count);
    totals_add_to(&workers[w].reachable, heap->reachable_rows, heap->row_count);
  }
  for (size_t i = 0; i < heap->row_count; i++) {
    struct pyheap_summary_row *tracked = &heap->tracked_rows[i];
    struct pyheap_summary_row *reachable = &heap->reachable_rows[i];
    tracked->type = reachable->type = (uint32_t)i;
    heap->info.tracked += tracked->count;
    heap->info.tracked_bytes += tracked->bytes;
    heap->info.reachable += reachable->count;
    heap->info.reachable_bytes += reachable->bytes;
  }
  return NULL;
}

static struct pyheap_error *find_with(struct pyheap *heap,
                                      struct worker *workers,
                                      const uint64_t *tracked) {
  TRY(roots_find_interned(heap));
  bool whole = visit_tracked(heap, workers, tracked);
  for (unsigned w = 0; w < heap->threads; w++)
    if (workers[w].out_of_memory)
      return &error_no_memory;
  if (!whole)
    return error_canceled();
  visit_roots(heap, &workers[0]);
  for (unsigned w = 0; w < heap->threads; w++) {
    if (workers[w].out_of_memory)
      return &error_no_memory;
    problems_merge(&heap->problems, &workers[w].problems);
  }
  TRY(number_objects(heap));
  return add_totals(heap, workers);
}

struct copying {
  const uint64_t *from;
  uint64_t *to;
  struct shares shares; /**< Of the words. */
};

static bool is_clear(const uint64_t *words, uint64_t count) {
  uint64_t any = 0;
  for (uint64_t i = 0; i < count; i++)
    any |= words[i];
  return !any;
}

/** Most of the memory may be no objects': pages of the copy without a bit are not
 * written to, and take no memory. */
static void copy_shares(void *context, unsigned thread) {
  struct copying *copying = context;
  uint64_t word, end;

  (void)thread;
  while (shares_take(&copying->shares, &word, &end))
    if (!is_clear(copying->from + word, end - word))
      memcpy(copying->to + word, copying->from + word,
             (end - word) * sizeof *copying->to);
}

/** Finds what is tracked, and writes it to heap->marks and the bitmap *RET, of
 * which there are to be two: free() it. */
static struct pyheap_error *find_tracked(struct pyheap *heap, uint64_t **ret) {
  uint64_t words = mark_words(heap);
  bool whole;

  TRY(heap->layout->free_threaded ? gc_search_tracked(heap)
                                  : gc_lists_walk(heap, &whole));
  *ret = calloc(words, sizeof **ret);
  if (!*ret)
    return &error_no_memory;
  struct copying copying = {
      heap->marks, *ret, {.end = words, .size = MARK_SHARE}};
  parallel_run(heap->threads, copy_shares, &copying);
  return NULL;
}

/** Forgets what an unfinished search has left. */
static void forget(struct pyheap *heap) {
  free(take(heap->marks));
  free(take(heap->ranks));
  free(take(heap->tracked_rows));
  free(take(heap->reachable_rows));
}

struct pyheap_error *pyheap_find_objects(struct pyheap *heap) {
  cleanup_free uint64_t *tracked = NULL;

  if (heap->objects_found)
    return NULL;
  heap->marks = calloc(mark_words(heap), sizeof *heap->marks);
  struct worker *workers = parallel_calloc(heap->threads, sizeof *workers);
  if (!heap->marks || !workers) {
    free(workers);
    forget(heap);
    return &error_no_memory;
  }
  for (unsigned w = 0; w < heap->threads; w++)
    worker_init(&workers[w], heap);
  struct pyheap_error *error = find_tracked(heap, &tracked);
  if (!error)
    error = find_with(heap, workers, tracked);
  for (unsigned w = 0; w < heap->threads; w++)
    worker_deinit(&workers[w]);
  free(workers);
  if (error) {
    forget(heap);
    return error;
  }
  heap->info.roots = heap->root_count;
  heap->objects_found = true;
  return NULL;
}
