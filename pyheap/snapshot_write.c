/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A snapshot becomes a file: doc/snapshot-format.md. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "coding.h"
#include "error.h"
#include "parallel.h"
#include "snapshot.h"
#include "snapshot_format.h"

enum {
  /** Bytes that an object's columns take at most: three varints, a type, a
   * byte of flags, two of its fingerprint. */
  OBJECT_MOST = 3 * VARINT_MAX + 5 + 1 + 2,
  REFERENCE_MOST = 5,
  WRITTEN_AT_ONCE = 256,
};

/** A chunk with its header, as it is in the file. */
struct chunk {
  uint8_t *bytes;
  size_t length;
};

/** Begins a chunk with room for CAPACITY bytes of contents; where these go, or
 * NULL. */
static uint8_t *chunk_begin(struct chunk *chunk, uint64_t capacity) {
  chunk->bytes = malloc(CHUNK_HEADER + capacity);
  return chunk->bytes ? chunk->bytes + CHUNK_HEADER : NULL;
}

/** Ends it: the contents reach up to END. */
static void chunk_end(struct chunk *chunk, enum chunk_kind kind, uint32_t count,
                      const uint8_t *end) {
  uint8_t *header = chunk->bytes;
  size_t contents = (size_t)(end - header) - CHUNK_HEADER;

  chunk->length = CHUNK_HEADER + contents;
  put_u32(header + CHUNK_KIND, kind);
  put_u32(header + CHUNK_COUNT, count);
  put_u64(header + CHUNK_BYTES, contents);
  uint32_t sum = crc32c(0, header, CHUNK_SUM);
  put_u32(header + CHUNK_SUM, crc32c(sum, header + CHUNK_HEADER, contents));
  /* What was too much is given back. */
  uint8_t *fitting = realloc(chunk->bytes, chunk->length);
  if (fitting)
    chunk->bytes = fitting;
}

static uint8_t *put_text(uint8_t *to, const char *text) {
  size_t length = strlen(text);
  to = put_varint(to, length);
  memcpy(to, text, length);
  return to + length;
}

/* Chunks ------------------------------------------------------------------ */

static bool encode_identity(const struct pyheap_identity *identity,
                            struct chunk *chunk) {
  uint8_t *at =
      chunk_begin(chunk, 15 * VARINT_MAX + PYHEAP_BUILD_ID +
                             strlen(identity->exe) + strlen(identity->source));
  if (!at)
    return false;
  at = put_varint(at, identity->hexversion);
  at = put_varint(at,
                  (identity->debug ? IDENTITY_DEBUG : 0u) |
                      (identity->free_threaded ? IDENTITY_FREE_THREADED : 0u) |
                      (identity->incomplete ? IDENTITY_INCOMPLETE : 0u));
  at = put_varint(at, (uint32_t)identity->pid);
  at = put_varint(at, identity->program_start);
  at = put_varint(at, identity->boot);
  at = put_varint(at, identity->started);
  at = put_varint(at, zigzag(identity->taken));
  at = put_varint(at, identity->runtime);
  at = put_varint(at, identity->interpreters);
  at = put_varint(at, identity->threads);
  at = put_varint(at, identity->frames);
  at = put_varint(at, identity->build_id_size);
  memcpy(at, identity->build_id, identity->build_id_size);
  at = put_text(at + identity->build_id_size, identity->exe);
  at = put_text(at, identity->source);
  chunk_end(chunk, CHUNK_IDENTITY, 1, at);
  return true;
}

static bool encode_types(const struct pyheap_snapshot *snapshot,
                         struct chunk *chunk) {
  uint64_t room = 0;
  for (uint32_t i = 0; i < snapshot->type_count; i++)
    room += (6ull + snapshot->types[i].mro_count) * VARINT_MAX +
            strlen(snapshot->types[i].name);
  uint8_t *at = chunk_begin(chunk, room);
  if (!at)
    return false;
  for (uint32_t i = 0; i < snapshot->type_count; i++) {
    const struct pyheap_type *type = &snapshot->types[i];
    at = put_varint(at, type->address);
    at = put_text(at, type->name);
    at = put_varint(at, type->module_length);
    at = put_varint(at, type->base + 1u);
    at = put_varint(at, type->layout_known);
    at = put_varint(at, type->mro_count);
    for (uint32_t j = 0; j < type->mro_count; j++)
      at = put_varint(at, type->mro[j]);
  }
  chunk_end(chunk, CHUNK_TYPES, snapshot->type_count, at);
  return true;
}

static bool encode_roots(const struct pyheap_snapshot *snapshot,
                         struct chunk *chunk) {
  uint64_t room = 0;
  for (uint32_t i = 0; i < snapshot->root_count; i++)
    room += 3 * VARINT_MAX + strlen(snapshot->roots[i].name);
  uint8_t *at = chunk_begin(chunk, room);
  if (!at)
    return false;
  for (uint32_t i = 0; i < snapshot->root_count; i++) {
    at = put_varint(at, snapshot->roots[i].address);
    at = put_varint(at, snapshot->roots[i].kind);
    at = put_text(at, snapshot->roots[i].name);
  }
  chunk_end(chunk, CHUNK_ROOTS, snapshot->root_count, at);
  return true;
}

/** The columns of the objects FIRST .. END-1, one behind the other. */
static bool encode_columns(const struct pyheap_snapshot *snapshot,
                           uint32_t first, uint32_t end, struct chunk *chunk) {
  uint64_t last = 0;
  uint8_t *at = chunk_begin(chunk, (end - first) * (uint64_t)OBJECT_MOST);
  if (!at)
    return false;
  for (uint32_t i = first; i < end; i++) {
    /* In 8 bytes, which all addresses of objects are multiples of. */
    at = put_varint(at, (snapshot->addresses[i] - last) / 8);
    last = snapshot->addresses[i];
  }
  for (uint32_t i = first; i < end; i++)
    at = put_varint(at, snapshot->type_of[i]);
  for (uint32_t i = first; i < end; i++)
    at = put_varint(at, snapshot->sizes[i]);
  for (uint32_t i = first; i < end; i++)
    at = put_varint(at, zigzag(snapshot->refcounts[i]));
  memcpy(at, snapshot->flags + first, end - first);
  at += end - first;
  for (uint32_t i = first; i < end; i++) {
    *at++ = (uint8_t)snapshot->fingerprints[i];
    *at++ = (uint8_t)(snapshot->fingerprints[i] >> 8);
  }
  chunk_end(chunk, CHUNK_COLUMNS, end - first, at);
  return true;
}

static bool encode_references(const struct pyheap_snapshot *snapshot,
                              uint32_t first, uint32_t end,
                              struct chunk *chunk) {
  uint64_t room =
      (end - first) * (uint64_t)VARINT_MAX +
      (snapshot->starts[end] - snapshot->starts[first]) * REFERENCE_MOST;
  uint8_t *at = chunk_begin(chunk, room);
  if (!at)
    return false;
  for (uint32_t i = first; i < end; i++) {
    uint64_t start = snapshot->starts[i],
             count = snapshot->starts[i + 1] - start;
    at = put_varint(at, count);
    /* Who refers to an object often was made shortly before or after it. */
    int64_t last = i;
    for (uint64_t j = start; j < start + count; j++) {
      int64_t step = (int64_t)snapshot->referrers[j] - last;
      at = put_varint(at, j == start ? zigzag(step) : (uint64_t)step);
      last = snapshot->referrers[j];
    }
  }
  chunk_end(chunk, CHUNK_REFERENCES, end - first, at);
  return true;
}

struct encoding {
  const struct pyheap_snapshot *snapshot;
  struct chunk *chunks;
  bool out_of_memory;
};

/** The two chunks of some of the objects. */
static void encode_part(void *context, uint64_t part) {
  struct encoding *encoding = context;
  const struct pyheap_snapshot *snapshot = encoding->snapshot;
  uint32_t first = (uint32_t)part * CHUNK_OBJECTS;
  uint32_t end = snapshot->count - first > CHUNK_OBJECTS ? first + CHUNK_OBJECTS
                                                         : snapshot->count;
  struct chunk *chunk = &encoding->chunks[FIRST_CHUNKS + 2 * part];

  if (!encode_columns(snapshot, first, end, &chunk[0]) ||
      !encode_references(snapshot, first, end, &chunk[1]))
    __atomic_store_n(&encoding->out_of_memory, true, __ATOMIC_RELAXED);
}

static bool encode_all(const struct pyheap_snapshot *snapshot, uint32_t parts,
                       struct chunk *chunks) {
  struct encoding encoding = {.snapshot = snapshot, .chunks = chunks};

  if (!encode_identity(&snapshot->identity, &chunks[0]) ||
      !encode_types(snapshot, &chunks[1]) ||
      !encode_roots(snapshot, &chunks[2]))
    return false;
  parallel_each(parallel_threads(), parts, encode_part, &encoding);
  return !encoding.out_of_memory;
}

/* Writing ----------------------------------------------------------------- */

static struct pyheap_error *write_pieces(int fd, struct iovec *pieces,
                                         int count) {
  while (count) {
    ssize_t written = writev(fd, pieces, count);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return error_os(written ? errno : EIO, "write");
    while (count && (size_t)written >= pieces->iov_len) {
      written -= (ssize_t)pieces->iov_len;
      pieces++;
      count--;
    }
    if (count) {
      pieces->iov_base = (uint8_t *)pieces->iov_base + written;
      pieces->iov_len -= (size_t)written;
    }
  }
  return NULL;
}

static struct pyheap_error *write_chunks(int fd, uint8_t *header,
                                         const struct chunk *chunks,
                                         uint32_t count) {
  struct iovec pieces[WRITTEN_AT_ONCE] = {{header, FILE_HEADER}};
  int used = 1;

  for (uint32_t i = 0; i < count; i++) {
    pieces[used++] = (struct iovec){chunks[i].bytes, chunks[i].length};
    if (used < WRITTEN_AT_ONCE && i + 1 < count)
      continue;
    TRY(write_pieces(fd, pieces, used));
    used = 0;
  }
  return NULL;
}

static void make_header(const struct pyheap_snapshot *snapshot,
                        const struct chunk *chunks, uint32_t count,
                        uint8_t *header) {
  uint64_t bytes = FILE_HEADER;
  for (uint32_t i = 0; i < count; i++)
    bytes += chunks[i].length;
  memcpy(header, SNAPSHOT_MAGIC, SNAPSHOT_MAGIC_BYTES);
  put_u32(header + FILE_VERSION, SNAPSHOT_VERSION);
  put_u32(header + FILE_CHUNKS, count);
  put_u64(header + FILE_BYTES, bytes);
  put_u32(header + FILE_OBJECTS, snapshot->count);
  put_u32(header + FILE_TYPES, snapshot->type_count);
  put_u32(header + FILE_ROOTS, snapshot->root_count);
  put_u32(header + FILE_SUM, crc32c(0, header, FILE_SUM));
}

struct pyheap_error *
pyheap_snapshot_write(const struct pyheap_snapshot *snapshot, int fd) {
  uint8_t header[FILE_HEADER];
  uint32_t parts =
      (uint32_t)((snapshot->count + CHUNK_OBJECTS - 1ull) / CHUNK_OBJECTS);
  uint32_t count = FIRST_CHUNKS + 2 * parts;
  cleanup_free struct chunk *chunks = calloc(count, sizeof *chunks);
  struct pyheap_error *error = &error_no_memory;

  if (!chunks)
    return error;
  if (encode_all(snapshot, parts, chunks)) {
    make_header(snapshot, chunks, count, header);
    error = write_chunks(fd, header, chunks, count);
  }
  for (uint32_t i = 0; i < count; i++)
    free(chunks[i].bytes);
  return error;
}
