/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "known_frames.h"

enum {
  /* Include/internal/pycore_frame.h of 3.11: a generator that is through. */
  GENERATOR_CLEARED = 4,
  /* A code object cannot have more: oparg and frame size are ints, and the
   * whole frame has to fit on the thread's data stack. */
  MAX_FRAME_SLOTS = 1 << 24,
};

/** What a code object says about the frames that run it. */
struct frame_shape {
  uint64_t locals;      /**< Local, cell and free variables. */
  uint64_t stack_size;  /**< Entries of the value stack, at most. */
  uint64_t names;       /**< A tuple with a name for each of the locals. */
};

static bool frame_shape_read(const struct pyheap *heap, uint64_t code,
                             struct frame_shape *ret) {
  const struct layout *layout = heap_layout(heap);
  const uint8_t *bytes = heap_memory(
      heap, code, OFFSET(layout, PyCodeObject, co_code_adaptive));
  if (!bytes)
    return false;
  struct frame_shape shape = {
      .locals = load_u32(bytes + OFFSET(layout, PyCodeObject, co_nlocalsplus)),
      .stack_size = load_u32(bytes + OFFSET(layout, PyCodeObject, co_stacksize)),
      .names = load_u64(bytes + OFFSET(layout, PyCodeObject, co_localsplusnames)),
  };
  if (shape.locals > MAX_FRAME_SLOTS || shape.stack_size > MAX_FRAME_SLOTS)
    return false;
  *ret = shape;
  return true;
}

/* The items of the tuple of the locals' names; NULL when there are fewer. */
static const uint8_t *local_names(const struct pyheap *heap,
                                  const struct frame_shape *shape) {
  const struct layout *layout = heap_layout(heap);
  uint64_t items = OFFSET(layout, PyTupleObject, ob_item);
  const uint8_t *tuple =
      heap_memory(heap, shape->names, items + 8 * shape->locals);
  if (!tuple ||
      load_u64(tuple + OFFSET(layout, PyVarObject, ob_size)) < shape->locals)
    return NULL;
  return tuple + items;
}

static const uint8_t *frame_header(const struct pyheap *heap, uint64_t frame) {
  return heap_memory(
      heap, frame, OFFSET(heap_layout(heap), _PyInterpreterFrame, localsplus));
}

int frame_owner(const struct pyheap *heap, uint64_t frame) {
  const uint8_t *bytes = frame_header(heap, frame);
  if (!bytes)
    return -1;
  return bytes[OFFSET(heap_layout(heap), _PyInterpreterFrame, owner)];
}

/* Locals and value stack: SLOTS, of which tp_traverse visits VISITED. */
static void visit_slots(struct visit *visit, const struct frame_shape *shape,
                        const uint8_t *slots, uint64_t count,
                        uint64_t visited, enum pyheap_reference_kind kind) {
  const uint8_t *names = local_names(visit_heap(visit), shape);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t target = load_u64(slots + 8 * i);
    enum pyheap_reference_kind slot_kind = i < visited ? kind : PYHEAP_OWNED;
    if (i >= shape->locals)
      visit_reference(visit, target, slot_kind, PYHEAP_NAME_STACK,
                      i - shape->locals);
    else if (names)
      visit_reference(visit, target, slot_kind, PYHEAP_NAME_LOCAL,
                      load_u64(names + 8 * i));
    else
      visit_reference(visit, target, slot_kind, PYHEAP_NAME_INDEX, i);
  }
}

/* The value stack of a frame that runs, of unknown depth: above the top are
 * values that were popped, which may be gone. */
static void scan_stack(struct visit *visit, const struct frame_shape *shape,
                       uint64_t slots) {
  const uint8_t *stack = heap_memory(
      visit_heap(visit), slots + 8 * shape->locals, 8 * shape->stack_size);
  for (uint64_t i = 0; stack && i < shape->stack_size; i++) {
    uint64_t target = load_u64(stack + 8 * i);
    if (target && heap_is_object(visit_heap(visit), target))
      visit_reference(visit, target, PYHEAP_PROBABLE, PYHEAP_NAME_STACK, i);
  }
}

void visit_interpreter_frame(struct visit *visit, const struct object *holder,
                             uint64_t frame, enum pyheap_reference_kind kind) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  const uint8_t *header = frame_header(heap, frame);
  if (!header) {
    visit_problem(visit, "frames that cannot be read", frame);
    return;
  }
  uint64_t code =
      load_u64(header + OFFSET(layout, _PyInterpreterFrame, f_code));
  visit_named(visit,
              load_u64(header + OFFSET(layout, _PyInterpreterFrame, frame_obj)),
              kind, "frame object");
  visit_named(visit,
              load_u64(header + OFFSET(layout, _PyInterpreterFrame, f_locals)),
              kind, ".f_locals");
  visit_named(visit,
              load_u64(header + OFFSET(layout, _PyInterpreterFrame, f_func)),
              kind, "function");
  visit_named(visit, code, kind, ".f_code");

  /* A frame object that was cleared has neither code nor locals. */
  if (!code && holder)
    return;
  struct frame_shape shape;
  if (!frame_shape_read(heap, code, &shape)) {
    visit_problem(visit, "frames without code", frame);
    return;
  }
  /* stacktop counts the locals too; it is -1 while the frame runs, for then
   * the depth is in a register of the evaluation loop. */
  int32_t stacktop = (int32_t)load_u32(
      header + OFFSET(layout, _PyInterpreterFrame, stacktop));
  uint64_t count = stacktop < 0 ? shape.locals : (uint64_t)stacktop;
  const uint8_t *slots = heap_memory(
      heap, frame + OFFSET(layout, _PyInterpreterFrame, localsplus),
      8 * count);
  if (count > shape.locals + shape.stack_size || (count && !slots)) {
    visit_problem(visit, "frames whose stack makes no sense", frame);
    return;
  }
  visit_slots(visit, &shape, slots, count, stacktop < 0 ? 0 : count, kind);
  if (stacktop < 0)
    scan_stack(visit, &shape,
               frame + OFFSET(layout, _PyInterpreterFrame, localsplus));
}

/* Frame objects */

void visit_frame_object(struct visit *visit, const struct object *frame) {
  const struct layout *layout = visit_layout(visit);
  visit_named(visit, FIELD(layout, frame, PyFrameObject, f_back),
              PYHEAP_VISITED, ".f_back");
  visit_named(visit, FIELD(layout, frame, PyFrameObject, f_trace),
              PYHEAP_VISITED, ".f_trace");
  uint64_t contents = FIELD(layout, frame, PyFrameObject, f_frame);
  if (contents &&
      frame_owner(visit_heap(visit), contents) == FRAME_OWNER_FRAME_OBJECT)
    visit_interpreter_frame(visit, frame, contents, PYHEAP_VISITED);
}

/* The bytes of a frame whose code is CODE, from its start. */
static uint64_t frame_bytes(const struct pyheap *heap, uint64_t code) {
  struct frame_shape shape = {0};
  (void)frame_shape_read(heap, code, &shape);
  return OFFSET(heap_layout(heap), _PyInterpreterFrame, localsplus) +
         8 * (shape.locals + shape.stack_size);
}

uint64_t frame_object_size(const struct pyheap *heap,
                           const struct object *frame) {
  const struct layout *layout = heap_layout(heap);
  const uint8_t *header =
      frame_header(heap, FIELD(layout, frame, PyFrameObject, f_frame));
  uint64_t code =
      header ? load_u64(header + OFFSET(layout, _PyInterpreterFrame, f_code))
             : 0;
  return OFFSET(layout, PyFrameObject, frame_data) + frame_bytes(heap, code);
}

/* Generators, coroutines and asynchronous generators share a layout. */

void visit_generator(struct visit *visit, const struct object *generator) {
  const struct layout *layout = visit_layout(visit);
  visit_named(visit, FIELD(layout, generator, PyGenObject, gi_code),
              PYHEAP_VISITED, ".gi_code");
  visit_named(visit, FIELD(layout, generator, PyGenObject, gi_name),
              PYHEAP_VISITED, ".__name__");
  visit_named(visit, FIELD(layout, generator, PyGenObject, gi_qualname),
              PYHEAP_VISITED, ".__qualname__");
  int8_t state =
      (int8_t)generator->bytes[OFFSET(layout, PyGenObject, gi_frame_state)];
  if (state < GENERATOR_CLEARED)
    visit_interpreter_frame(
        visit, generator,
        generator->address + OFFSET(layout, PyGenObject, gi_iframe),
        PYHEAP_VISITED);
  visit_named(visit, FIELD(layout, generator, PyGenObject, gi_exc_value),
              PYHEAP_VISITED, "handled exception");
}

void visit_coroutine(struct visit *visit, const struct object *coroutine) {
  visit_generator(visit, coroutine);
  visit_named(visit,
              FIELD(visit_layout(visit), coroutine, PyGenObject,
                    gi_origin_or_finalizer),
              PYHEAP_OWNED, ".cr_origin");
}

void visit_async_generator(struct visit *visit,
                           const struct object *generator) {
  visit_named(visit,
              FIELD(visit_layout(visit), generator, PyGenObject,
                    gi_origin_or_finalizer),
              PYHEAP_VISITED, "finalizer");
  visit_generator(visit, generator);
}

uint64_t generator_size(const struct pyheap *heap,
                        const struct object *generator) {
  const struct layout *layout = heap_layout(heap);
  return OFFSET(layout, PyGenObject, gi_iframe) +
         frame_bytes(heap, FIELD(layout, generator, PyGenObject, gi_code));
}
