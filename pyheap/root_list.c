/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists what holds references from outside the heap: interpreters, threads and
 * running frames, and the stacks of C functions. */
#include "config.h"

#include <stdlib.h>

#include "heap.h"
#include "known_frames.h"
#include "sorted.h"

static struct pyheap_error *add_root(struct pyheap *heap,
                                     enum pyheap_root_kind kind,
                                     uint64_t address, uint64_t interpreter) {
  size_t count = heap->root_count;
  if (!(count & (count - 1))) {
    struct root *grown =
        reallocarray(heap->roots, count ? 2 * count : 1, sizeof *grown);
    if (!grown)
      return &error_no_memory;
    heap->roots = grown;
  }
  heap->roots[heap->root_count++] = (struct root){
      .kind = kind, .address = address, .interpreter = interpreter};
  return NULL;
}

/** The innermost frame of a thread: a PyFrameObject up to 3.10, then a
 * _PyInterpreterFrame. */
static uint64_t top_frame(const struct pyheap *heap, uint64_t thread) {
  /* 3.10 has a CFrame too, without a frame in it. */
  int32_t current = OFFSET(heap->layout, _PyCFrame, current_frame);
  uint64_t cframe =
      current == FACT_ABSENT
          ? 0
          : heap_word(heap, thread,
                      OFFSET(heap->layout, PyThreadState, cframe));
  if (cframe)
    return heap_word(heap, cframe, current);
  uint64_t frame = heap_word(
      heap, thread, OFFSET(heap->layout, PyThreadState, current_frame));
  return frame ? frame
               : heap_word(heap, thread,
                           OFFSET(heap->layout, PyThreadState, frame));
}

/** Whether a frame is reported by no object: one on a thread's own stack, or a
 * frame object that no generator owns, which C code that runs it holds. */
static bool is_root_frame(const struct pyheap *heap, uint64_t frame,
                          int owner) {
  if (heap_has_frame_objects(heap))
    return !heap_word(heap, frame, OFFSET(heap->layout, PyFrameObject, f_gen));
  return owner == FRAME_OWNER_THREAD;
}

/** How many frames the chain from FRAME on has; when damage made it a ring
 * (*RING), how many different ones.  After Brent's algorithm. */
static uint64_t count_frames(const struct pyheap *heap, uint64_t first,
                             int32_t previous, bool *ring) {
  uint64_t mark = first, length = 0, count = 0;

  *ring = false;
  for (uint64_t frame = first; frame && count <= MAX_FRAMES; count++) {
    frame = heap_word(heap, frame, previous);
    length++;
    if (frame && frame == mark) {
      *ring = true;
      break;
    }
    if (!(count & (count + 1))) {
      mark = frame;
      length = 0;
    }
  }
  if (!*ring)
    return count;
  uint64_t behind = first, ahead = first;
  for (uint64_t i = 0; i < length; i++)
    ahead = heap_word(heap, ahead, previous);
  for (count = length; behind != ahead; count++) {
    behind = heap_word(heap, behind, previous);
    ahead = heap_word(heap, ahead, previous);
  }
  return count;
}

/** The running functions of a thread, innermost first. */
static struct pyheap_error *add_frames(struct pyheap *heap, uint64_t thread,
                                       uint64_t interpreter) {
  static const char broken[] = "chains of frames that lead nowhere";
  const struct layout *layout = heap->layout;
  bool objects = heap_has_frame_objects(heap), ring;
  int32_t previous = objects ? OFFSET(layout, PyFrameObject, f_back)
                             : OFFSET(layout, _PyInterpreterFrame, previous);
  uint64_t frame = top_frame(heap, thread);
  uint64_t count = count_frames(heap, frame, previous, &ring);

  if (count > MAX_FRAMES - heap->info.frames)
    return error_create(PYHEAP_ERROR_LIMIT, frame, "more than %d frames",
                        MAX_FRAMES);
  if (ring)
    problems_add(&heap->problems, broken, frame, 1);
  for (uint64_t i = 0; i < count;
       i++, frame = heap_word(heap, frame, previous)) {
    int owner = objects ? FRAME_OWNER_FRAME_OBJECT : frame_owner(heap, frame);
    if (owner < 0) {
      problems_add(&heap->problems, broken, frame, 1);
      return NULL;
    }
    /* Frames with other owners stand for C code that was called. */
    if (owner > FRAME_OWNER_FRAME_OBJECT)
      continue;
    heap->info.frames++;
    if (is_root_frame(heap, frame, owner))
      TRY(add_root(heap, PYHEAP_ROOT_FRAME, frame, interpreter));
  }
  return NULL;
}

static struct pyheap_error *add_threads(struct pyheap *heap,
                                        uint64_t interpreter) {
  uint64_t thread =
      heap_word(heap, interpreter,
                OFFSET(heap->layout, PyInterpreterState, threads_head));
  for (uint64_t previous = 0; thread; previous = thread,
                thread = heap_word(heap, thread,
                                   OFFSET(heap->layout, PyThreadState, next))) {
    if (heap_word(heap, thread, OFFSET(heap->layout, PyThreadState, interp)) !=
            interpreter ||
        heap_word(heap, thread, OFFSET(heap->layout, PyThreadState, prev)) !=
            previous) {
      problems_add(&heap->problems, "list of threads that is broken", thread,
                   1);
      return NULL;
    }
    if (heap->info.threads++ == MAX_THREADS)
      return error_create(PYHEAP_ERROR_LIMIT, thread, "more than %d threads",
                          MAX_THREADS);
    TRY(add_root(heap, PYHEAP_ROOT_THREAD, thread, interpreter));
    TRY(add_frames(heap, thread, interpreter));
  }
  return NULL;
}

static bool is_listed(const struct pyheap *heap, uint64_t interpreter) {
  for (size_t i = 0; i < heap->root_count; i++)
    if (heap->roots[i].kind == PYHEAP_ROOT_INTERPRETER &&
        heap->roots[i].address == interpreter)
      return true;
  return false;
}

static struct pyheap_error *add_interpreter(struct pyheap *heap,
                                            uint64_t interpreter) {
  if (heap->info.interpreters == MAX_INTERPRETERS)
    return error_create(PYHEAP_ERROR_LIMIT, interpreter,
                        "more than %d interpreters", MAX_INTERPRETERS);
  heap->info.interpreters++;
  TRY(add_root(heap, PYHEAP_ROOT_INTERPRETER, interpreter, interpreter));
  int32_t collecting = OFFSET(heap->layout, _gc_runtime_state, collecting);
  if ((uint32_t)runtime_gc_member(heap, interpreter, collecting))
    heap->info.collecting = true;
  return add_threads(heap, interpreter);
}

/** All interpreters, the youngest first.  Where their list is broken, the main
 * interpreter is known all the same. */
static struct pyheap_error *add_interpreters(struct pyheap *heap) {
  static const char broken[] = "list of interpreters that is broken";
  uint64_t main_interpreter =
      heap_word(heap, heap->runtime,
                OFFSET(heap->layout, pyruntimestate, interpreters_main));
  uint64_t interpreter =
      heap_word(heap, heap->runtime,
                OFFSET(heap->layout, pyruntimestate, interpreters_head));
  int32_t next = OFFSET(heap->layout, PyInterpreterState, next);

  for (; interpreter; interpreter = heap_word(heap, interpreter, next)) {
    if (is_listed(heap, interpreter) ||
        !memory_at(&heap->memory, interpreter + (uint64_t)next, 8)) {
      problems_add(&heap->problems, broken, interpreter, 1);
      break;
    }
    TRY(add_interpreter(heap, interpreter));
  }
  if (is_listed(heap, main_interpreter))
    return NULL;
  problems_add(&heap->problems, broken, heap->runtime, 1);
  return add_interpreter(heap, main_interpreter);
}

static int compare_addresses(const void *left, const void *right) {
  const uint64_t *a = left, *b = right;
  return *a < *b ? -1 : *a > *b;
}

static struct pyheap_error *sort_frames(struct pyheap *heap) {
  heap->running =
      reallocarray(NULL, heap->root_count + 1, sizeof *heap->running);
  if (!heap->running)
    return &error_no_memory;
  for (size_t i = 0; i < heap->root_count; i++)
    if (heap->roots[i].kind == PYHEAP_ROOT_FRAME)
      heap->running[heap->running_count++] = heap->roots[i].address;
  qsort(heap->running, heap->running_count, sizeof *heap->running,
        compare_addresses);
  return NULL;
}

bool heap_is_running(const struct pyheap *heap, uint64_t frame) {
  size_t place =
      SORTED_PLACE(0, heap->running_count, i, heap->running[i] < frame);
  return place < heap->running_count && heap->running[place] == frame;
}

struct pyheap_error *roots_list(struct pyheap *heap) {
  TRY(add_root(heap, PYHEAP_ROOT_RUNTIME, heap->runtime, 0));
  TRY(add_interpreters(heap));
  TRY(sort_frames(heap));
  /* The last, for it is guessed what they refer to. */
  for (size_t i = 0; i < heap->memory.stack_count; i++)
    TRY(add_root(heap, PYHEAP_ROOT_STACK, heap->memory.stacks[i].start, 0));
  return NULL;
}
