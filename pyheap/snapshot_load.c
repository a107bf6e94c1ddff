/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file becomes a snapshot: doc/snapshot-format.md.  Whoever wrote it, nothing
 * here trusts it: no number is used before it was held against what there can
 * be, and nothing is allocated that the length of the file does not justify. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coding.h"
#include "compressed.h"
#include "error.h"
#include "identity.h"
#include "parallel.h"
#include "snapshot.h"
#include "snapshot_format.h"

struct chunk {
  enum chunk_kind kind;
  uint32_t count;
  const uint8_t *start; /**< Its header. */
  struct source contents;
  uint32_t first; /**< Object, of a chunk of objects. */
  /** In a chunk of references, once they are counted: its own, and those of the
   * chunks before. */
  uint64_t references, before;
};

struct loader {
  const char *path;
  uint8_t *bytes;
  uint64_t length;
  struct chunk *chunks;
  uint32_t chunk_count;
  uint32_t objects, types, roots;
  struct pyheap_snapshot *snapshot;
};

__attribute__((format(printf, 2, 3),
               returns_nonnull)) static struct pyheap_error *
refuse(const struct loader *loader, const char *format, ...) {
  char *what = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&what, format, arguments);
  va_end(arguments);
  if (length < 0)
    return &error_no_memory;
  struct pyheap_error *error =
      error_create(PYHEAP_ERROR_NOT_SNAPSHOT, 0, "%s %s", loader->path, what);
  free(what);
  return error;
}

static struct pyheap_error *damaged(const struct loader *loader,
                                    const char *what) {
  return refuse(loader, "is damaged: %s; save the snapshot again", what);
}

/* The file ---------------------------------------------------------------- */

static struct pyheap_error *check_magic(const struct loader *loader,
                                        const uint8_t *header) {
  static const char magic[] = SNAPSHOT_MAGIC;

  if (memcmp(header, magic, SNAPSHOT_MAGIC_BYTES) == 0)
    return NULL;
  if (memcmp(header + 1, magic + 1, strlen("MUPPY")) == 0)
    return refuse(loader,
                  "was changed on its way here, as by a transfer in text "
                  "mode: its first bytes are not those of a snapshot");
  const char *program = compressed_with(header, FILE_HEADER);
  if (program)
    return refuse(loader, "is compressed with %s; unpack it first", program);
  return refuse(loader, "is no snapshot of muppy, nor a core file");
}

static struct pyheap_error *read_header(struct loader *loader,
                                        const uint8_t *header) {
  uint32_t version = get_u32(header + FILE_VERSION);

  TRY(check_magic(loader, header));
  if (version != SNAPSHOT_VERSION)
    return refuse(loader,
                  "has the snapshot format %u, and this muppy reads format "
                  "%d; use the muppy that wrote it",
                  version, SNAPSHOT_VERSION);
  if (crc32c(0, header, FILE_SUM) != get_u32(header + FILE_SUM))
    return damaged(loader, "the checksum of its header is wrong");
  uint64_t length = get_u64(header + FILE_BYTES);
  if (length != loader->length)
    return refuse(loader,
                  "is %s: it has %llu of its %llu bytes; save or copy the "
                  "snapshot again",
                  length > loader->length ? "truncated" : "damaged",
                  (unsigned long long)loader->length,
                  (unsigned long long)length);
  loader->chunk_count = get_u32(header + FILE_CHUNKS);
  loader->objects = get_u32(header + FILE_OBJECTS);
  loader->types = get_u32(header + FILE_TYPES);
  loader->roots = get_u32(header + FILE_ROOTS);
  if (loader->objects >= INT32_MAX || loader->roots >= INT32_MAX ||
      (uint64_t)loader->objects + loader->roots > INT32_MAX)
    return damaged(loader, "it has more objects than there can be");
  return NULL;
}

static struct pyheap_error *read_bytes(const struct loader *loader, int fd,
                                       uint8_t *to, uint64_t length) {
  while (length) {
    ssize_t got = read(fd, to, length);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return error_os(errno, loader->path);
    if (got == 0)
      return refuse(loader, "became shorter while it was read");
    to += got;
    length -= (uint64_t)got;
  }
  return NULL;
}

/** The rest only when the header is right: it may be any file, of any size. */
static struct pyheap_error *read_file(struct loader *loader) {
  struct stat status;
  uint8_t header[FILE_HEADER];
  cleanup_close int fd =
      open(loader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

  if (fd < 0 || fstat(fd, &status) < 0)
    return error_os(errno, loader->path);
  if (!S_ISREG(status.st_mode))
    return refuse(loader, "is no regular file, as a snapshot is");
  if (status.st_size < FILE_HEADER)
    return refuse(loader, "is no snapshot of muppy: it has %lld bytes only",
                  (long long)status.st_size);
  loader->length = (uint64_t)status.st_size;
  TRY(read_bytes(loader, fd, header, sizeof header));
  TRY(read_header(loader, header));
  loader->bytes = malloc(loader->length);
  if (!loader->bytes)
    return &error_no_memory;
  memcpy(loader->bytes, header, sizeof header);
  return read_bytes(loader, fd, loader->bytes + sizeof header,
                    loader->length - sizeof header);
}

static uint32_t parts_of(const struct loader *loader) {
  return (uint32_t)((loader->objects + CHUNK_OBJECTS - 1ull) / CHUNK_OBJECTS);
}

/** What chunk I must be, and how many things it must hold. */
static void expect(const struct loader *loader, uint32_t i,
                   struct chunk *chunk) {
  switch (i) {
  case 0:
    *chunk = (struct chunk){.kind = CHUNK_IDENTITY, .count = 1};
    return;
  case 1:
    *chunk = (struct chunk){.kind = CHUNK_TYPES, .count = loader->types};
    return;
  case 2:
    *chunk = (struct chunk){.kind = CHUNK_ROOTS, .count = loader->roots};
    return;
  }
  uint32_t first = (i - FIRST_CHUNKS) / 2 * CHUNK_OBJECTS;
  uint32_t left = loader->objects - first;
  *chunk = (struct chunk){
      .kind = i % 2 ? CHUNK_COLUMNS : CHUNK_REFERENCES,
      .count = left < CHUNK_OBJECTS ? left : CHUNK_OBJECTS,
      .first = first,
  };
}

/** Bytes that a thing of the chunk takes at least: so many fit, no more. */
static uint64_t least(enum chunk_kind kind) {
  static const uint8_t sizes[] = {
      [CHUNK_IDENTITY] = 1,       [CHUNK_TYPES] = TYPE_LEAST,
      [CHUNK_ROOTS] = ROOT_LEAST, [CHUNK_COLUMNS] = OBJECT_LEAST,
      [CHUNK_REFERENCES] = 1,
  };
  return sizes[kind];
}

/** Finds the chunks, which must be those that the header announces. */
static struct pyheap_error *find_chunks(struct loader *loader) {
  uint64_t at = FILE_HEADER, length = loader->length;

  if (loader->chunk_count != FIRST_CHUNKS + 2 * (uint64_t)parts_of(loader) ||
      loader->chunk_count > length / CHUNK_HEADER)
    return damaged(loader, "its parts do not fit its objects");
  loader->chunks = calloc(loader->chunk_count, sizeof *loader->chunks);
  if (!loader->chunks)
    return &error_no_memory;
  for (uint32_t i = 0; i < loader->chunk_count; i++) {
    struct chunk *chunk = &loader->chunks[i];
    const uint8_t *header = loader->bytes + at;

    if (length - at < CHUNK_HEADER)
      return damaged(loader, "it ends before its last part");
    expect(loader, i, chunk);
    uint64_t bytes = get_u64(header + CHUNK_BYTES);
    if (bytes > length - at - CHUNK_HEADER ||
        get_u32(header + CHUNK_KIND) != chunk->kind ||
        get_u32(header + CHUNK_COUNT) != chunk->count ||
        chunk->count * least(chunk->kind) > bytes)
      return damaged(loader, "its parts make no sense");
    chunk->start = header;
    chunk->contents.at = header + CHUNK_HEADER;
    chunk->contents.end = chunk->contents.at + bytes;
    at += CHUNK_HEADER + bytes;
  }
  return at == length ? NULL : damaged(loader, "it has more than its parts");
}

static void check_sum(void *context, uint64_t i) {
  struct chunk *chunk = &((struct loader *)context)->chunks[i];
  uint32_t sum = crc32c(0, chunk->start, CHUNK_SUM);

  sum = crc32c(sum, chunk->contents.at, source_left(&chunk->contents));
  chunk->contents.bad = sum != get_u32(chunk->start + CHUNK_SUM);
}

static bool all_good(const struct loader *loader) {
  for (uint32_t i = 0; i < loader->chunk_count; i++)
    if (loader->chunks[i].contents.bad)
      return false;
  return true;
}

static struct pyheap_error *check_sums(struct loader *loader) {
  parallel_each(parallel_threads(), loader->chunk_count, check_sum, loader);
  return all_good(loader) ? NULL : damaged(loader, "a checksum is wrong");
}

/* Chunks ------------------------------------------------------------------ */

/** A text, copied to *NAMES, which moves on behind it. */
static const char *decode_text(struct source *source, char **names) {
  char *text = *names;
  uint64_t length = get_limited(source, source_left(source));
  const uint8_t *bytes = get_bytes(source, length);

  if (!bytes || memchr(bytes, 0, length)) {
    source->bad = true;
    return "";
  }
  memcpy(text, bytes, length);
  text[length] = 0;
  *names = text + length + 1;
  return text;
}

static char *decode_own_text(struct source *source) {
  char *copy = malloc(source_left(source) + 1), *end = copy;
  if (copy) {
    *copy = 0;
    decode_text(source, &end);
  }
  return copy;
}

static struct pyheap_error *decode_identity(struct loader *loader,
                                            struct chunk *chunk) {
  struct source *source = &chunk->contents;
  struct pyheap_identity *identity = &loader->snapshot->identity;

  identity->hexversion = (uint32_t)get_limited(source, UINT32_MAX);
  uint64_t flags = get_limited(source, IDENTITY_FLAGS);
  identity->debug = flags & IDENTITY_DEBUG;
  identity->free_threaded = flags & IDENTITY_FREE_THREADED;
  identity->incomplete = flags & IDENTITY_INCOMPLETE;
  identity->pid = (int32_t)get_limited(source, INT32_MAX);
  identity->program_start = get_varint(source);
  identity->boot = get_varint(source);
  identity->started = get_varint(source);
  identity->taken = unzigzag(get_varint(source));
  identity->runtime = get_varint(source);
  identity->interpreters = (uint32_t)get_limited(source, UINT32_MAX);
  identity->threads = (uint32_t)get_limited(source, UINT32_MAX);
  identity->frames = (uint32_t)get_limited(source, UINT32_MAX);
  identity->build_id_size = (uint32_t)get_limited(source, PYHEAP_BUILD_ID);
  const uint8_t *build_id = get_bytes(source, identity->build_id_size);
  if (build_id)
    memcpy(identity->build_id, build_id, identity->build_id_size);
  identity->exe = decode_own_text(source);
  identity->source = decode_own_text(source);
  return identity->exe && identity->source ? NULL : &error_no_memory;
}

/** Room for all names: with a byte of length each takes as much in the file as
 * with a NUL here. */
static struct pyheap_error *make_room(struct loader *loader) {
  struct pyheap_snapshot *snapshot = loader->snapshot;
  size_t types = source_left(&loader->chunks[1].contents);
  size_t names = types + source_left(&loader->chunks[2].contents);

  /* Each index of an __mro__ takes a byte at least. */
  snapshot->mros = calloc(types + 1, sizeof *snapshot->mros);
  snapshot->names = malloc(names + 1);
  snapshot->types = calloc(loader->types + 1ull, sizeof *snapshot->types);
  snapshot->type_count = loader->types;
  if (!snapshot->mros || !snapshot->names || !snapshot->types ||
      !snapshot_allocate(snapshot, loader->objects, loader->roots))
    return &error_no_memory;
  return NULL;
}

static void decode_types(struct loader *loader, struct chunk *chunk,
                         char **names) {
  struct source *source = &chunk->contents;
  uint32_t *mro = loader->snapshot->mros;

  for (uint32_t i = 0; i < loader->types && !source->bad; i++) {
    struct pyheap_type *type = &loader->snapshot->types[i];
    type->address = get_varint(source);
    type->name = decode_text(source, names);
    type->module_length = (uint32_t)get_limited(source, strlen(type->name));
    type->base = (uint32_t)get_limited(source, loader->types) - 1u;
    type->layout_known = get_limited(source, 1);
    type->mro_count = (uint32_t)get_limited(source, source_left(source));
    type->mro = mro;
    for (uint32_t j = 0; j < type->mro_count && !source->bad; j++)
      *mro++ = (uint32_t)get_limited(source, loader->types - 1ull);
  }
}

static void decode_roots(struct loader *loader, struct chunk *chunk,
                         char **names) {
  struct source *source = &chunk->contents;

  for (uint32_t i = 0; i < loader->roots && !source->bad; i++) {
    struct pyheap_snapshot_root *root = &loader->snapshot->roots[i];
    root->address = get_varint(source);
    uint64_t kind = get_limited(source, ROOT_KIND_MOST);
    /* One that a later muppy knows has a name and an address all the same. */
    root->kind = kind <= PYHEAP_ROOT_STACK ? (enum pyheap_root_kind)kind
                                           : PYHEAP_ROOT_RUNTIME;
    root->name = decode_text(source, names);
  }
}

/** Addresses ascend; false where they do not, or leave what there can be. */
static bool decode_addresses(struct source *source, uint64_t *addresses,
                             uint32_t count) {
  uint64_t address = 0;

  for (uint32_t i = 0; i < count; i++) {
    uint64_t step = get_limited(source, (UINT64_MAX >> 3) - 1);
    if ((!step && i) || __builtin_add_overflow(address, step * 8, &address))
      return false;
    addresses[i] = address;
  }
  return true;
}

static void decode_columns(void *context, uint64_t part) {
  struct loader *loader = context;
  struct chunk *chunk = &loader->chunks[FIRST_CHUNKS + 2 * part];
  struct pyheap_snapshot *snapshot = loader->snapshot;
  struct source *source = &chunk->contents;
  uint32_t first = chunk->first, end = first + chunk->count;

  if (!loader->types ||
      !decode_addresses(source, snapshot->addresses + first, chunk->count)) {
    source->bad = true;
    return;
  }
  for (uint32_t i = first; i < end; i++)
    snapshot->type_of[i] = (uint32_t)get_limited(source, loader->types - 1ull);
  for (uint32_t i = first; i < end; i++)
    snapshot->sizes[i] = get_varint(source);
  for (uint32_t i = first; i < end; i++)
    snapshot->refcounts[i] = unzigzag(get_varint(source));
  const uint8_t *bytes = get_bytes(source, 3ull * chunk->count);
  if (!bytes)
    return;
  memcpy(snapshot->flags + first, bytes, chunk->count);
  for (uint32_t i = first; i < end; i++)
    source->bad |= snapshot->flags[i] > PYHEAP_SNAPSHOT_FLAGS;
  bytes += chunk->count;
  for (uint32_t i = first; i < end; i++, bytes += 2)
    snapshot->fingerprints[i] = (uint16_t)(bytes[0] | bytes[1] << 8);
}

static struct chunk *references_of(struct loader *loader, uint64_t part) {
  return &loader->chunks[FIRST_CHUNKS + 2 * part + 1];
}

/** Counts the references of a chunk; starts[] become those within it. */
static void count_references(void *context, uint64_t part) {
  struct loader *loader = context;
  struct chunk *chunk = references_of(loader, part);
  struct source source = chunk->contents;
  uint32_t first = chunk->first, end = first + chunk->count;

  for (uint32_t i = first; i < end && !source.bad; i++) {
    loader->snapshot->starts[i] = chunk->references;
    /* Each takes a byte at least. */
    uint64_t count = get_limited(&source, source_left(&source));
    for (uint64_t j = 0; j < count && !source.bad; j++)
      get_varint(&source);
    chunk->references += count;
  }
  chunk->contents.bad = source.bad || source_left(&source);
}

/** The referrers of the chunk's objects, behind those of the chunks before. */
static void decode_references(void *context, uint64_t part) {
  struct loader *loader = context;
  struct chunk *chunk = references_of(loader, part);
  struct pyheap_snapshot *snapshot = loader->snapshot;
  struct source *source = &chunk->contents;
  uint32_t *to = snapshot->referrers + chunk->before;
  uint32_t nodes = loader->objects + loader->roots;

  for (uint32_t i = chunk->first; i < chunk->first + chunk->count; i++) {
    snapshot->starts[i] += chunk->before;
    uint64_t count = get_varint(source);
    int64_t last = i;
    for (uint64_t j = 0; j < count; j++) {
      uint64_t step = get_varint(source);
      if (j == 0 ? unzigzag(step) < -last || unzigzag(step) >= nodes - last
                 : step >= (uint64_t)(nodes - last)) {
        source->bad = true;
        return;
      }
      last += j == 0 ? unzigzag(step) : (int64_t)step;
      *to++ = (uint32_t)last;
    }
  }
}

static struct pyheap_error *load_references(struct loader *loader) {
  struct pyheap_snapshot *snapshot = loader->snapshot;
  uint32_t parts = parts_of(loader);
  uint64_t total = 0;

  snapshot->starts = calloc(loader->objects + 1ull, sizeof *snapshot->starts);
  if (!snapshot->starts)
    return &error_no_memory;
  parallel_each(parallel_threads(), parts, count_references, loader);
  if (!all_good(loader))
    return damaged(loader, "its references make no sense");
  for (uint32_t part = 0; part < parts; part++) {
    struct chunk *chunk = references_of(loader, part);
    chunk->before = total;
    total += chunk->references;
  }
  snapshot->referrers = calloc(total + 1, sizeof *snapshot->referrers);
  if (!snapshot->referrers)
    return &error_no_memory;
  parallel_each(parallel_threads(), parts, decode_references, loader);
  snapshot->starts[loader->objects] = total;
  return all_good(loader) ? NULL
                          : damaged(loader, "its references make no sense");
}

static struct pyheap_error *decode_all(struct loader *loader, bool references) {
  struct pyheap_snapshot *snapshot = loader->snapshot;
  struct chunk *chunks = loader->chunks;
  char *names = snapshot->names;

  TRY(decode_identity(loader, &chunks[0]));
  decode_types(loader, &chunks[1], &names);
  decode_roots(loader, &chunks[2], &names);
  parallel_each(parallel_threads(), parts_of(loader), decode_columns, loader);
  for (uint32_t i = 0; i < loader->chunk_count; i++)
    if (chunks[i].kind != CHUNK_REFERENCES)
      chunks[i].contents.bad |= source_left(&chunks[i].contents) != 0;
  if (!all_good(loader))
    return damaged(loader, "what it says makes no sense");
  for (uint64_t i = CHUNK_OBJECTS; i < loader->objects; i += CHUNK_OBJECTS)
    if (snapshot->addresses[i] <= snapshot->addresses[i - 1])
      return damaged(loader, "its addresses do not ascend");
  return references ? load_references(loader) : NULL;
}

static struct pyheap_error *load(struct loader *loader, bool references) {
  TRY(read_file(loader));
  TRY(find_chunks(loader));
  TRY(check_sums(loader));
  loader->snapshot = calloc(1, sizeof *loader->snapshot);
  if (!loader->snapshot)
    return &error_no_memory;
  TRY(make_room(loader));
  return decode_all(loader, references);
}

struct pyheap_error *pyheap_snapshot_load(const char *path, bool references,
                                          struct pyheap_snapshot **ret) {
  struct loader loader = {.path = path};
  struct pyheap_error *error = load(&loader, references);

  free(loader.bytes);
  free(loader.chunks);
  if (error) {
    pyheap_snapshot_destroy(loader.snapshot);
    return error;
  }
  *ret = loader.snapshot;
  return NULL;
}
