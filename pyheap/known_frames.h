/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Frames (_PyInterpreterFrame): in generators, in frame objects and on the
 * stacks of threads.
 */
#ifndef PYHEAP_KNOWN_FRAMES_H
#define PYHEAP_KNOWN_FRAMES_H

#include "known_type.h"

/** Whose memory a frame is in (enum _frameowner). */
enum frame_owner {
  FRAME_OWNER_THREAD = 0,
  FRAME_OWNER_GENERATOR = 1,
  FRAME_OWNER_FRAME_OBJECT = 2,
};

/** The owner of the frame at ADDRESS, or -1 when it cannot be read. */
int frame_owner(const struct pyheap *heap, uint64_t frame);

/**
 * The references that the frame at FRAME holds: its function, code, locals and
 * value stack.
 *
 * Exactly one node reports a frame: its generator (FRAME_OWNER_GENERATOR, also
 * while it runs), its frame object (FRAME_OWNER_FRAME_OBJECT), or else, for one
 * on a thread's stack, the root that stands for the running function.
 *
 * @param holder  The object that FRAME is embedded in; NULL for one on a
 *                thread's stack.
 * @param kind    PYHEAP_VISITED where tp_traverse of HOLDER visits the frame,
 *                PYHEAP_OWNED otherwise.  What tp_traverse cannot know, the
 *                stack of a frame that runs, is owned in any case.
 */
void visit_interpreter_frame(struct visit *visit, const struct object *holder,
                             uint64_t frame, enum pyheap_reference_kind kind);

/**
 * The same for FRAME and those before it when they may be suspended: switched away
 * from by an extension such as greenlet, which keeps their addresses in memory of
 * its own.  All is probable.
 * @return Whether there is such a frame at FRAME.
 */
bool visit_suspended_frames(struct visit *visit, uint64_t frame);

/* Rows. */
void visit_frame_object(struct visit *visit, const struct object *frame);
void visit_generator(struct visit *visit, const struct object *generator);
void visit_coroutine(struct visit *visit, const struct object *coroutine);
void visit_async_generator(struct visit *visit, const struct object *generator);
uint64_t frame_object_size(const struct pyheap *heap,
                           const struct object *frame);
uint64_t generator_size(const struct pyheap *heap,
                        const struct object *generator);

#endif
