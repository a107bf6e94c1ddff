/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "process_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "parallel.h"

enum {
  PIECE = 1 << 20
};

bool process_pieces_add(struct process_pieces *pieces, uint64_t start,
                        uint8_t *bytes, uint64_t length, uint32_t flags) {
  for (uint64_t at = 0; at < length; at += PIECE) {
    if (pieces->count == pieces->capacity) {
      size_t capacity = 2 * pieces->capacity + 64;
      struct process_piece *grown =
          reallocarray(pieces->list, capacity, sizeof *grown);
      if (!grown)
        return false;
      pieces->list = grown;
      pieces->capacity = capacity;
    }
    pieces->list[pieces->count++] = (struct process_piece){
        .start = start + at,
        .bytes = bytes + at,
        .length = length - at < PIECE ? (uint32_t)(length - at) : PIECE,
        .flags = flags};
  }
  pieces->length += length;
  return true;
}

void process_pieces_deinit(struct process_pieces *pieces) {
  free(pieces->list);
  *pieces = (struct process_pieces){0};
}

/** Reads the start of LENGTH bytes at ADDRESS; 0 when there is nothing to read.
 * process_vm_readv() copies once what /proc/PID/mem copies twice; but a kernel or
 * a container may not have it, and it does not read all that the other does. */
static size_t read_some(const struct process_pieces *pieces, uint64_t address,
                        uint8_t *bytes, size_t length) {
  struct iovec here = {bytes, length};
  struct iovec there = {(void *)(uintptr_t)address, length};
  ssize_t got = process_vm_readv(pieces->process, &here, 1, &there, 1, 0);

  if (got > 0)
    return (size_t)got;
  do
    got = pread(pieces->fd, bytes, length, (off_t)address);
  while (got < 0 && errno == EINTR);
  return got > 0 ? (size_t)got : 0;
}

/** Reads a piece to BYTES; how much of it there was. */
static uint32_t read_piece(const struct process_pieces *pieces,
                           const struct process_piece *piece, uint8_t *bytes) {
  size_t at = 0;

  while (at < piece->length) {
    size_t got =
        read_some(pieces, piece->start + at, bytes + at, piece->length - at);
    if (!got)
      break;
    at += got;
  }
  return (uint32_t)at;
}

/** What the threads share. */
struct work {
  const struct process_pieces *pieces;
  struct shares shares;
  uint64_t done; /**< Bytes. */
  bool compare;
  bool stopped; /**< Canceled, or they differ. */
};

static void stop(struct work *work) {
  __atomic_store_n(&work->stopped, true, __ATOMIC_RELAXED);
}

/** Told by the caller's own thread alone. */
static bool is_canceled(const struct work *work) {
  const struct process_pieces *pieces = work->pieces;
  const struct pyheap_progress *progress = pieces->progress;

  return progress &&
         !progress->step(progress->context,
                         work->compare ? "comparing memory" : "copying memory",
                         __atomic_load_n(&work->done, __ATOMIC_RELAXED),
                         pieces->length);
}

/** Whether the process holds what PIECE does; BLOCK has room for it. */
static bool is_same(const struct process_pieces *pieces,
                    const struct process_piece *piece, uint8_t *block) {
  return read_piece(pieces, piece, block) == piece->length &&
         memcmp(block, piece->bytes, piece->length) == 0;
}

static void take_pieces(struct work *work, unsigned thread, uint8_t *block) {
  const struct process_pieces *pieces = work->pieces;
  uint64_t first, end;

  while (!__atomic_load_n(&work->stopped, __ATOMIC_RELAXED) &&
         shares_take(&work->shares, &first, &end)) {
    struct process_piece *piece = &pieces->list[first];
    if (thread == 0 && is_canceled(work))
      stop(work);
    else if (!work->compare)
      piece->got = read_piece(pieces, piece, piece->bytes);
    else if (!is_same(pieces, piece, block))
      stop(work);
    __atomic_fetch_add(&work->done, piece->length, __ATOMIC_RELAXED);
  }
}

static void run(void *context, unsigned thread) {
  struct work *work = context;
  uint8_t *block = work->compare ? malloc(PIECE) : NULL;

  if (work->compare && !block)
    stop(work);
  else
    take_pieces(work, thread, block);
  free(block);
}

/** False when it was broken off. */
static bool work_on(struct process_pieces *pieces, bool compare) {
  struct work work = {.pieces = pieces,
                      .shares = {.end = pieces->count, .size = 1},
                      .compare = compare};
  unsigned threads = pieces->threads;

  if (threads > pieces->count)
    threads = (unsigned)pieces->count;
  parallel_run(threads, run, &work);
  return !work.stopped;
}

bool process_pieces_copy(struct process_pieces *pieces) {
  return work_on(pieces, false);
}

bool process_pieces_compare(struct process_pieces *pieces) {
  return work_on(pieces, true);
}
