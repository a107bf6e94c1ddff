/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "known_frames.h"

#include "heap.h"
#include "known_code.h"

/** The depth of a value stack that is in a register of the evaluation loop. */
#define DEPTH_UNKNOWN UINT64_MAX

enum {
  MAX_SUSPENDED = 1024, /**< Frames of one stack; sys.setrecursionlimit(). */
};

static bool frames_are_objects(const struct layout *layout) {
  return OFFSET(layout, PyFrameObject, f_code) != FACT_ABSENT;
}

/** gi_frame_state of a generator that is through: FRAME_CLEARED of
 * pycore_frame.h, which 3.15 numbered anew. */
static int generator_cleared(const struct layout *layout) {
  return layout->version < 0x030f ? 4 : 5;
}

/** Whether tp_traverse of a generator that is through visits its code: since
 * 3.14 (Objects/genobject.c, gen_traverse). */
static bool visits_code_of_cleared(const struct layout *layout) {
  return layout->version >= 0x030e;
}

static const uint8_t *frame_header(const struct pyheap *heap, uint64_t frame) {
  return heap_memory(
      heap, frame,
      (uint64_t)OFFSET(heap_layout(heap), _PyInterpreterFrame, localsplus));
}

int frame_owner(const struct pyheap *heap, uint64_t frame) {
  const uint8_t *bytes = frame_header(heap, frame);
  if (!bytes)
    return -1;
  return bytes[OFFSET(heap_layout(heap), _PyInterpreterFrame, owner)];
}

/* Since 3.14 the words of a frame that refer to objects are _PyStackRef: bit 1
 * marks what is no pointer, bit 0 a reference that is not counted
 * (pycore_stackref.h). */
enum {
  STACKREF_NO_POINTER = 2,
  STACKREF_NOT_COUNTED = 1
};

static bool has_stackrefs(const struct layout *layout) {
  return OFFSET(layout, _PyInterpreterFrame, stackpointer) != FACT_ABSENT;
}

/** The object that a word of a frame refers to, or 0. */
static uint64_t stack_reference(const struct layout *layout, uint64_t word) {
  if (!has_stackrefs(layout))
    return word;
  return word & STACKREF_NO_POINTER ? 0
                                    : word & ~(uint64_t)STACKREF_NOT_COUNTED;
}

/** Says so when the reference in a word of a frame is not counted. */
static void visit_counted_as(struct visit *visit, uint64_t word) {
  visit_counted(visit, !has_stackrefs(visit_layout(visit)) ||
                           !(word & STACKREF_NOT_COUNTED));
}

/** The word for the code that the frame with HEADER runs; some shims have None
 * there. */
static uint64_t code_word(const struct layout *layout, const uint8_t *header) {
  int32_t offset = OFFSET(layout, _PyInterpreterFrame, f_executable);
  if (offset == FACT_ABSENT)
    offset = OFFSET(layout, _PyInterpreterFrame, f_code);
  return load_u64(header + offset);
}

static uint64_t header_code(const struct layout *layout,
                            const uint8_t *header) {
  return stack_reference(layout, code_word(layout, header));
}

static uint64_t function_word(const struct layout *layout,
                              const uint8_t *header) {
  int32_t offset = OFFSET(layout, _PyInterpreterFrame, f_funcobj);
  if (offset == FACT_ABSENT)
    offset = OFFSET(layout, _PyInterpreterFrame, f_func);
  return load_u64(header + offset);
}

/** Whether a word of what may be a frame is guessed to be a reference: one that
 * is not counted is borrowed from another word, which is. */
static bool may_be_held(const struct visit *visit, uint64_t word) {
  const struct layout *layout = visit_layout(visit);
  return !(has_stackrefs(layout) && (word & STACKREF_NOT_COUNTED)) &&
         heap_is_object(visit_heap(visit), stack_reference(layout, word));
}

/** A word of a frame by name. */
static void visit_word(struct visit *visit, uint64_t word,
                       enum pyheap_reference_kind kind, const char *name) {
  if (kind == PYHEAP_PROBABLE && !may_be_held(visit, word))
    return;
  visit_counted_as(visit, word);
  visit_named(visit, stack_reference(visit_layout(visit), word), kind, name);
  visit_counted(visit, true);
}

/** How many slots are in use, the locals included. */
static uint64_t header_depth(const struct layout *layout, uint64_t frame,
                             const uint8_t *header) {
  int32_t stacktop = OFFSET(layout, _PyInterpreterFrame, stacktop);
  if (stacktop != FACT_ABSENT) {
    int32_t depth = (int32_t)load_u32(header + stacktop);
    return depth < 0 ? DEPTH_UNKNOWN : (uint64_t)depth;
  }
  uint64_t pointer =
      load_u64(header + OFFSET(layout, _PyInterpreterFrame, stackpointer));
  if (!pointer)
    return DEPTH_UNKNOWN;
  return (pointer - frame -
          (uint64_t)OFFSET(layout, _PyInterpreterFrame, localsplus)) /
         8;
}

/* Locals and value stack: the first COUNT words of SLOTS, of which tp_traverse
 * visits VISITED. */
static void visit_slots(struct visit *visit, const struct frame_shape *shape,
                        const uint8_t *slots, uint64_t count, uint64_t visited,
                        enum pyheap_reference_kind kind) {
  const struct layout *layout = visit_layout(visit);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t word = load_u64(slots + 8 * i);
    uint64_t target = stack_reference(layout, word);
    enum pyheap_reference_kind slot_kind =
        i < visited || kind == PYHEAP_PROBABLE ? kind : PYHEAP_OWNED;
    if (!target || (slot_kind == PYHEAP_PROBABLE && !may_be_held(visit, word)))
      continue;
    visit_counted_as(visit, word);
    if (i >= shape->locals) {
      visit_reference(visit, target, slot_kind, PYHEAP_NAME_STACK,
                      i - shape->locals);
      continue;
    }
    uint64_t name = frame_local_name(visit_heap(visit), shape, i);
    visit_reference(visit, target, slot_kind,
                    name ? PYHEAP_NAME_LOCAL : PYHEAP_NAME_INDEX,
                    name ? name : i);
  }
  visit_counted(visit, true);
}

/* The value stack of a frame that runs, of unknown depth: above the top are
 * values that were popped, which may be gone. */
static void scan_stack(struct visit *visit, const struct frame_shape *shape,
                       uint64_t slots, enum pyheap_reference_kind kind) {
  const struct layout *layout = visit_layout(visit);
  const uint8_t *stack = heap_memory(
      visit_heap(visit), slots + 8 * shape->locals, 8 * shape->stack_size);
  for (uint64_t i = 0; stack && i < shape->stack_size; i++) {
    uint64_t word = load_u64(stack + 8 * i);
    uint64_t target = stack_reference(layout, word);
    if (!target || !heap_is_object(visit_heap(visit), target) ||
        (kind == PYHEAP_PROBABLE && !may_be_held(visit, word)))
      continue;
    visit_counted_as(visit, word);
    visit_reference(visit, target, PYHEAP_PROBABLE, PYHEAP_NAME_STACK, i);
  }
  visit_counted(visit, true);
}

/** The slots at SLOTS, of which DEPTH are in use; of these tp_traverse visits
 * the locals anyway when ALWAYS_LOCALS, else only with the depth known. */
static void visit_stack(struct visit *visit, const struct frame_shape *shape,
                        uint64_t slots, uint64_t depth, bool always_locals,
                        enum pyheap_reference_kind kind) {
  bool known = depth != DEPTH_UNKNOWN;
  uint64_t count = known ? depth : shape->locals;
  const uint8_t *bytes = NULL;
  if (count <= shape->locals + shape->stack_size)
    bytes = heap_memory(visit_heap(visit), slots, 8 * count);
  if (!bytes && count) {
    visit_problem(visit, "frames whose stack makes no sense", slots);
    return;
  }
  visit_slots(visit, shape, bytes, count, known || always_locals ? count : 0,
              kind);
  if (!known)
    scan_stack(visit, shape, slots, kind);
}

/** A member of a frame that is a plain pointer. */
static void visit_member(struct visit *visit, const uint8_t *header,
                         int32_t offset, enum pyheap_reference_kind kind,
                         const char *name) {
  uint64_t target = load_u64(header + offset);
  if (kind != PYHEAP_PROBABLE || heap_is_object(visit_heap(visit), target))
    visit_named(visit, target, kind, name);
}

void visit_interpreter_frame(struct visit *visit, const struct object *holder,
                             uint64_t frame, enum pyheap_reference_kind kind) {
  const struct layout *layout = visit_layout(visit);
  const uint8_t *header = frame_header(visit_heap(visit), frame);
  if (!header) {
    visit_problem(visit, "frames that cannot be read", frame);
    return;
  }
  uint64_t code = header_code(layout, header);
  visit_member(visit, header, OFFSET(layout, _PyInterpreterFrame, frame_obj),
               kind, "frame object");
  visit_member(visit, header, OFFSET(layout, _PyInterpreterFrame, f_locals),
               kind, ".f_locals");
  visit_word(visit, function_word(layout, header), kind, "function");
  visit_word(visit, code_word(layout, header), kind, ".f_code");

  /* A frame object that was cleared has neither code nor locals. */
  if (!code && holder)
    return;
  struct frame_shape shape;
  if (!frame_shape_read(visit_heap(visit), code, &shape)) {
    visit_problem(visit, "frames without code", frame);
    return;
  }
  visit_stack(visit, &shape,
              frame + (uint64_t)OFFSET(layout, _PyInterpreterFrame, localsplus),
              header_depth(layout, frame, header), false, kind);
}

/** Whether a function of Python ran in what may be a frame, and no thread runs
 * it. */
static bool may_be_frame(const struct pyheap *heap, uint64_t frame) {
  const struct layout *layout = heap_layout(heap);
  const uint8_t *header = frame_header(heap, frame);
  struct frame_shape shape;
  struct object function;
  const char *why;
  return header && frame_owner(heap, frame) == FRAME_OWNER_THREAD &&
         !heap_is_running(heap, frame) &&
         frame_shape_read(heap, header_code(layout, header), &shape) &&
         object_load(heap,
                     stack_reference(layout, function_word(layout, header)),
                     &function, &why) &&
         function.type->known && function.type->known->kind == KIND_FUNCTION;
}

bool visit_suspended_frames(struct visit *visit, uint64_t frame) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = heap_layout(heap);
  struct problems *problems = visit->problems;
  uint64_t mark = 0;
  unsigned count = 0;

  if (frames_are_objects(layout))
    return false;
  /* Guesses are no news of the heap. */
  visit->problems = NULL;
  while (count < MAX_SUSPENDED && !visit->stop && frame != mark &&
         frame % 8 == 0 && may_be_frame(heap, frame)) {
    visit_interpreter_frame(visit, NULL, frame, PYHEAP_PROBABLE);
    /* Damage makes rings, which come back to one of these. */
    if (!(count & (count + 1)))
      mark = frame;
    frame =
        heap_word(heap, frame, OFFSET(layout, _PyInterpreterFrame, previous));
    count++;
  }
  visit->problems = problems;
  return count;
}

/* Frame objects ----------------------------------------------------------- */

/** How much of the value stack of a frame object is in use, until 3.10. */
static uint64_t object_depth(const struct layout *layout,
                             const struct object *frame) {
  int32_t stackdepth = OFFSET(layout, PyFrameObject, f_stackdepth);
  if (stackdepth != FACT_ABSENT) {
    int32_t depth = (int32_t)load_u32(frame->bytes + stackdepth);
    return depth < 0 ? DEPTH_UNKNOWN : (uint64_t)depth;
  }
  uint64_t top = FIELD(layout, frame, PyFrameObject, f_stacktop);
  if (top)
    return (top - FIELD(layout, frame, PyFrameObject, f_valuestack)) / 8;
  /* Until 3.9 NULL is also what a frame has that is through. */
  return object_byte(frame, OFFSET(layout, PyFrameObject, f_executing))
             ? DEPTH_UNKNOWN
             : 0;
}

/** Until 3.10 functions run in frame objects. */
static void visit_whole_frame(struct visit *visit, const struct object *frame) {
  const struct layout *layout = visit_layout(visit);
  uint64_t code = FIELD(layout, frame, PyFrameObject, f_code);
  struct frame_shape shape;
#define MEMBER(member)                                                         \
  visit_named(visit, FIELD(layout, frame, PyFrameObject, member),              \
              PYHEAP_VISITED, "." #member)
  MEMBER(f_code);
  MEMBER(f_builtins);
  MEMBER(f_globals);
  MEMBER(f_locals);
#undef MEMBER
  if (!frame_shape_read(visit_heap(visit), code, &shape)) {
    visit_problem(visit, "frames without code", frame->address);
    return;
  }
  uint64_t depth = object_depth(layout, frame);
  visit_stack(visit, &shape,
              frame->address +
                  (uint64_t)OFFSET(layout, PyFrameObject, f_localsplus),
              depth == DEPTH_UNKNOWN ? depth : shape.locals + depth, true,
              PYHEAP_VISITED);
}

void visit_frame_object(struct visit *visit, const struct object *frame) {
  const struct layout *layout = visit_layout(visit);
  visit_named(visit, FIELD(layout, frame, PyFrameObject, f_back),
              PYHEAP_VISITED, ".f_back");
  visit_named(visit, FIELD(layout, frame, PyFrameObject, f_trace),
              PYHEAP_VISITED, ".f_trace");
  visit_named(visit, FIELD(layout, frame, PyFrameObject, f_extra_locals),
              PYHEAP_VISITED, "extra locals");
  visit_named(visit, FIELD(layout, frame, PyFrameObject, f_locals_cache),
              PYHEAP_VISITED, "cache of locals");
  visit_named(visit,
              FIELD(layout, frame, PyFrameObject, f_overwritten_fast_locals),
              PYHEAP_VISITED, "overwritten locals");
  if (frames_are_objects(layout)) {
    visit_whole_frame(visit, frame);
    return;
  }
  uint64_t contents = FIELD(layout, frame, PyFrameObject, f_frame);
  if (contents &&
      frame_owner(visit_heap(visit), contents) == FRAME_OWNER_FRAME_OBJECT)
    visit_interpreter_frame(visit, frame, contents, PYHEAP_VISITED);
}

static uint64_t slot_bytes(const struct pyheap *heap, uint64_t code) {
  struct frame_shape shape = {0};
  (void)frame_shape_read(heap, code, &shape);
  return 8 * (shape.locals + shape.stack_size);
}

/** The bytes of the interpreter's frame at FRAME. */
static uint64_t frame_bytes(const struct pyheap *heap, uint64_t frame) {
  const struct layout *layout = heap_layout(heap);
  const uint8_t *header = frame_header(heap, frame);
  return (uint64_t)OFFSET(layout, _PyInterpreterFrame, localsplus) +
         slot_bytes(heap, header ? header_code(layout, header) : 0);
}

uint64_t frame_object_size(const struct pyheap *heap,
                           const struct object *frame) {
  const struct layout *layout = heap_layout(heap);
  /* The struct has room for one slot. */
  if (frames_are_objects(layout))
    return (uint64_t)SIZEOF(layout, PyFrameObject) - 8 +
           slot_bytes(heap, FIELD(layout, frame, PyFrameObject, f_code));
  return (uint64_t)OFFSET(layout, PyFrameObject, frame_data) +
         frame_bytes(heap, FIELD(layout, frame, PyFrameObject, f_frame));
}

/* Generators -------------------------------------------------------------- */

/** What Python calls members of the three types that share a layout. */
struct generator_names {
  const char *frame, *code;
};

/** The frame inside a generator, from 3.11 on. */
static void visit_own_frame(struct visit *visit, const struct object *generator,
                            const struct generator_names *names) {
  const struct layout *layout = visit_layout(visit);
  uint64_t frame =
      generator->address + (uint64_t)OFFSET(layout, PyGenObject, gi_iframe);
  int8_t state = (int8_t)object_byte(
      generator, OFFSET(layout, PyGenObject, gi_frame_state));
  if (state < generator_cleared(layout)) {
    visit_interpreter_frame(visit, generator, frame, PYHEAP_VISITED);
    return;
  }
  /* Where a generator has no gi_code the frame keeps it to the end. */
  const uint8_t *header = frame_header(visit_heap(visit), frame);
  if (header && OFFSET(layout, PyGenObject, gi_code) == FACT_ABSENT)
    visit_word(visit, code_word(layout, header),
               visits_code_of_cleared(layout) ? PYHEAP_VISITED : PYHEAP_OWNED,
               names->code);
}

/* Generators, coroutines and asynchronous generators share a layout. */
static void visit_as(struct visit *visit, const struct object *generator,
                     const struct generator_names *names) {
  const struct layout *layout = visit_layout(visit);
#define MEMBER(member, name)                                                   \
  visit_named(visit, FIELD(layout, generator, PyGenObject, member),            \
              PYHEAP_VISITED, name)
  MEMBER(gi_frame, names->frame);
  MEMBER(gi_code, names->code);
  MEMBER(gi_name, ".__name__");
  MEMBER(gi_qualname, ".__qualname__");
  if (OFFSET(layout, PyGenObject, gi_iframe) != FACT_ABSENT)
    visit_own_frame(visit, generator, names);
  MEMBER(gi_exc_type, "type of the handled exception");
  MEMBER(gi_exc_value, "handled exception");
  MEMBER(gi_exc_traceback, "traceback of the handled exception");
#undef MEMBER
}

void visit_generator(struct visit *visit, const struct object *generator) {
  visit_as(visit, generator,
           &(const struct generator_names){".gi_frame", ".gi_code"});
}

/** One member until 3.10, or the one that replaced it in 3.11. */
static uint64_t origin_or_finalizer(const struct layout *layout,
                                    const struct object *generator,
                                    int32_t before) {
  return before == FACT_ABSENT
             ? FIELD(layout, generator, PyGenObject, gi_origin_or_finalizer)
             : object_field(generator, before);
}

void visit_coroutine(struct visit *visit, const struct object *coroutine) {
  const struct layout *layout = visit_layout(visit);
  visit_as(visit, coroutine,
           &(const struct generator_names){".cr_frame", ".cr_code"});
  visit_named(visit,
              origin_or_finalizer(layout, coroutine,
                                  OFFSET(layout, PyCoroObject, cr_origin)),
              PYHEAP_OWNED, ".cr_origin");
}

void visit_async_generator(struct visit *visit,
                           const struct object *generator) {
  const struct layout *layout = visit_layout(visit);
  visit_named(
      visit,
      origin_or_finalizer(layout, generator,
                          OFFSET(layout, PyAsyncGenObject, ag_finalizer)),
      PYHEAP_VISITED, "finalizer");
  visit_as(visit, generator,
           &(const struct generator_names){".ag_frame", ".ag_code"});
}

uint64_t generator_size(const struct pyheap *heap,
                        const struct object *generator) {
  int32_t iframe = OFFSET(heap_layout(heap), PyGenObject, gi_iframe);
  if (iframe == FACT_ABSENT)
    return object_basicsize(generator);
  return (uint64_t)iframe +
         frame_bytes(heap, generator->address + (uint64_t)iframe);
}
