/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Snapshots: their file, whatever was done to it, and what compares them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pyheap/coding.h"
#include "pyheap/difference.h"
#include "pyheap/identity.h"
#include "pyheap/snapshot.h"
#include "pyheap/snapshot_format.h"

enum {
  OBJECTS = 2 * CHUNK_OBJECTS + 777, /**< Three chunks of them. */
  FEW = 500,
  TYPES = 300,
  ROOTS = 5,
  MUTATIONS = 6000,
};

/* Snapshots to test with -------------------------------------------------- */

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005 + 1442695040888963407;
  return *state >> 33;
}

static char *must_strdup(const char *text) {
  char *copy = strdup(text);
  assert_non_null(copy);
  return copy;
}

static void add_names(struct pyheap_snapshot *snapshot) {
  char *name = malloc((TYPES + ROOTS) * 32);
  assert_non_null(name);
  snapshot->names = name;
  for (uint32_t i = 0; i < snapshot->type_count; i++) {
    snapshot->types[i].name = name;
    name += sprintf(name, "module.Type%u", i) + 1;
    snapshot->types[i].module_length = 6;
  }
  for (uint32_t i = 0; i < snapshot->root_count; i++) {
    snapshot->roots[i].name = name;
    name += sprintf(name, "root %u", i) + 1;
  }
}

static void add_types(struct pyheap_snapshot *snapshot) {
  snapshot->type_count = TYPES;
  snapshot->types = calloc(TYPES, sizeof *snapshot->types);
  snapshot->mros = calloc(2 * TYPES, sizeof *snapshot->mros);
  assert_non_null(snapshot->types);
  assert_non_null(snapshot->mros);
  for (uint32_t i = 0; i < TYPES; i++) {
    uint32_t *mro = snapshot->mros + 2 * i;
    mro[0] = i;
    snapshot->types[i] = (struct pyheap_type){.address = 0x500000 + 1024 * i,
                                              .base = i ? 0 : UINT32_MAX,
                                              .mro = mro,
                                              .mro_count = i ? 2 : 1,
                                              .layout_known = i % 2};
  }
}

static void add_references(struct pyheap_snapshot *snapshot, uint64_t *state) {
  uint32_t count = snapshot->count, nodes = count + snapshot->root_count;
  uint64_t total = 0;

  snapshot->starts = calloc(count + 1, sizeof *snapshot->starts);
  snapshot->referrers = calloc(4 * (count + 1), sizeof *snapshot->referrers);
  assert_non_null(snapshot->starts);
  assert_non_null(snapshot->referrers);
  for (uint32_t i = 0; i < count; i++) {
    snapshot->starts[i] = total;
    uint32_t last = 0;
    for (uint64_t left = next_random(state) % 4; left; left--) {
      last += (uint32_t)(next_random(state) % (nodes - last));
      snapshot->referrers[total++] = last;
    }
  }
  snapshot->starts[count] = total;
}

static struct pyheap_snapshot *make(uint32_t count, uint64_t seed) {
  struct pyheap_snapshot *snapshot = calloc(1, sizeof *snapshot);
  uint64_t address = 0x7f0000000000;

  assert_non_null(snapshot);
  assert_true(snapshot_allocate(snapshot, count, ROOTS));
  snapshot->identity =
      (struct pyheap_identity){.hexversion = 0x030b02f0,
                               .debug = true,
                               .pid = 4711,
                               .program_start = UINT64_MAX,
                               .boot = 5,
                               .started = 77,
                               .taken = INT64_C(1767225600000000),
                               .runtime = 0x55a0000,
                               .interpreters = 1,
                               .threads = 2,
                               .frames = 3,
                               .build_id = {1, 2, 3},
                               .build_id_size = 20,
                               .exe = must_strdup("/usr/bin/python3.11"),
                               .source = must_strdup("core file x")};
  add_types(snapshot);
  add_names(snapshot);
  for (uint32_t i = 0; i < ROOTS; i++) {
    snapshot->roots[i].address = 16 * i + 16;
    snapshot->roots[i].kind = (enum pyheap_root_kind)i;
  }
  for (uint32_t i = 0; i < count; i++) {
    address += 8 + 8 * (next_random(&seed) % 100);
    snapshot->addresses[i] = address;
    snapshot->type_of[i] = (uint32_t)(next_random(&seed) % TYPES);
    snapshot->sizes[i] = next_random(&seed) % 1000;
    snapshot->refcounts[i] = (int64_t)(next_random(&seed) % 10) - 1;
    snapshot->flags[i] = (uint8_t)(next_random(&seed) % 8);
    snapshot->fingerprints[i] = (uint16_t)next_random(&seed);
  }
  if (count) {
    snapshot->sizes[0] = UINT64_MAX;
    snapshot->refcounts[0] = INT64_MIN;
    snapshot->refcounts[count - 1] = INT64_MAX;
  }
  add_references(snapshot, &seed);
  return snapshot;
}

/* Coding ------------------------------------------------------------------ */

static void test_numbers(void **state) {
  (void)state;
  static const uint64_t values[] = {0,   1,          127,        128,
                                    300, UINT32_MAX, 1ull << 63, UINT64_MAX};
  uint8_t bytes[VARINT_MAX];

  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    uint8_t *end = put_varint(bytes, values[i]);
    struct source source = {.at = bytes, .end = end};
    assert_true(get_varint(&source) == values[i]);
    assert_false(source.bad);
    assert_int_equal(source_left(&source), 0);
    source = (struct source){.at = bytes, .end = end - 1};
    assert_true(get_varint(&source) == 0);
    assert_true(source.bad);
    assert_true(unzigzag(zigzag((int64_t)values[i])) == (int64_t)values[i]);
  }
  /* More than 64 bits, and no end. */
  memset(bytes, 0xff, sizeof bytes);
  bytes[9] = 2;
  struct source source = {.at = bytes, .end = bytes + sizeof bytes};
  get_varint(&source);
  assert_true(source.bad);
  source = (struct source){.at = bytes, .end = bytes + 3};
  assert_null(get_bytes(&source, 4));
  assert_true(source.bad);
  assert_null(get_bytes(&source, 0));
}

static void test_checksum(void **state) {
  (void)state;
  static const char text[] = "123456789";

  assert_int_equal(crc32c(0, text, 9), 0xe3069283);
  assert_int_equal(crc32c(crc32c(0, text, 4), text + 4, 5), 0xe3069283);
  assert_int_equal(crc32c(0, "", 0), 0);
}

/* The file ---------------------------------------------------------------- */

struct file {
  char path[64];
  uint8_t *bytes;
  size_t length;
};

static void write_bytes(const struct file *file, size_t length) {
  FILE *out = fopen(file->path, "wb");
  assert_non_null(out);
  assert_int_equal(fwrite(file->bytes, 1, length, out), length);
  fclose(out);
}

static void file_init(struct file *file,
                      const struct pyheap_snapshot *snapshot) {
  strcpy(file->path, "/tmp/muppy-test-XXXXXX");
  int fd = mkstemp(file->path);
  assert_true(fd >= 0);
  assert_null(pyheap_snapshot_write(snapshot, fd));
  file->length = (size_t)lseek(fd, 0, SEEK_END);
  file->bytes = malloc(file->length);
  assert_non_null(file->bytes);
  assert_int_equal(pread(fd, file->bytes, file->length, 0), file->length);
  close(fd);
}

static void file_deinit(struct file *file) {
  unlink(file->path);
  free(file->bytes);
}

/** What of a snapshot the rest of the program relies on. */
static void check_sound(const struct pyheap_snapshot *snapshot) {
  uint32_t nodes = snapshot->count + snapshot->root_count;
  uint64_t sum = 0;

  for (uint32_t i = 0; i < snapshot->type_count; i++) {
    const struct pyheap_type *type = &snapshot->types[i];
    sum += strlen(type->name);
    assert_true(type->module_length <= strlen(type->name));
    assert_true(type->base == UINT32_MAX || type->base < snapshot->type_count);
    for (uint32_t j = 0; j < type->mro_count; j++)
      assert_true(type->mro[j] < snapshot->type_count);
  }
  for (uint32_t i = 0; i < snapshot->root_count; i++)
    sum += strlen(snapshot->roots[i].name);
  for (uint32_t i = 0; i < snapshot->count; i++) {
    assert_true(!i || snapshot->addresses[i] > snapshot->addresses[i - 1]);
    assert_true(snapshot->type_of[i] < snapshot->type_count);
    assert_true(snapshot->starts[i] <= snapshot->starts[i + 1]);
  }
  for (uint64_t i = 0; i < snapshot->starts[snapshot->count]; i++)
    assert_true(snapshot->referrers[i] < nodes);
  sum += strlen(snapshot->identity.exe) + strlen(snapshot->identity.source);
  assert_true(sum < 1 << 20);
}

static void assert_same(const struct pyheap_snapshot *a,
                        const struct pyheap_snapshot *b) {
  size_t n = a->count;

  assert_int_equal(a->count, b->count);
  assert_memory_equal(a->addresses, b->addresses, n * sizeof *a->addresses);
  assert_memory_equal(a->type_of, b->type_of, n * sizeof *a->type_of);
  assert_memory_equal(a->sizes, b->sizes, n * sizeof *a->sizes);
  assert_memory_equal(a->refcounts, b->refcounts, n * sizeof *a->refcounts);
  assert_memory_equal(a->flags, b->flags, n);
  assert_memory_equal(a->fingerprints, b->fingerprints,
                      n * sizeof *a->fingerprints);
  assert_memory_equal(a->starts, b->starts, (n + 1) * sizeof *a->starts);
  assert_memory_equal(a->referrers, b->referrers,
                      a->starts[n] * sizeof *a->referrers);
  assert_int_equal(a->type_count, b->type_count);
  for (uint32_t i = 0; i < a->type_count; i++) {
    assert_true(a->types[i].address == b->types[i].address);
    assert_string_equal(a->types[i].name, b->types[i].name);
    assert_int_equal(a->types[i].base, b->types[i].base);
    assert_int_equal(a->types[i].layout_known, b->types[i].layout_known);
    assert_int_equal(a->types[i].module_length, b->types[i].module_length);
    assert_int_equal(a->types[i].mro_count, b->types[i].mro_count);
    assert_memory_equal(a->types[i].mro, b->types[i].mro,
                        a->types[i].mro_count * sizeof(uint32_t));
  }
  assert_int_equal(a->root_count, b->root_count);
  for (uint32_t i = 0; i < a->root_count; i++) {
    assert_true(a->roots[i].address == b->roots[i].address);
    assert_int_equal(a->roots[i].kind, b->roots[i].kind);
    assert_string_equal(a->roots[i].name, b->roots[i].name);
  }
  assert_true(a->identity.program_start == b->identity.program_start);
  assert_true(a->identity.taken == b->identity.taken);
  assert_int_equal(a->identity.pid, b->identity.pid);
  assert_int_equal(a->identity.frames, b->identity.frames);
  assert_memory_equal(a->identity.build_id, b->identity.build_id,
                      PYHEAP_BUILD_ID);
  assert_string_equal(a->identity.exe, b->identity.exe);
  assert_string_equal(a->identity.source, b->identity.source);
}

static void test_round_trip(void **state) {
  (void)state;
  static const uint32_t counts[] = {
      0, 1, FEW, CHUNK_OBJECTS, CHUNK_OBJECTS + 1, OBJECTS};

  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    struct pyheap_snapshot *written = make(counts[i], i), *read = NULL;
    struct file file;
    file_init(&file, written);
    assert_null(pyheap_snapshot_load(file.path, true, &read));
    assert_same(written, read);
    check_sound(read);
    pyheap_snapshot_destroy(read);
    assert_null(pyheap_snapshot_load(file.path, false, &read));
    assert_null(read->starts);
    assert_memory_equal(written->sizes, read->sizes,
                        counts[i] * sizeof *read->sizes);
    if (counts[i] > 1)
      assert_int_equal(pyheap_snapshot_at(read, read->addresses[1]), 1);
    assert_int_equal(pyheap_snapshot_at(read, 4), PYHEAP_NO_NODE);
    pyheap_snapshot_destroy(read);
    pyheap_snapshot_destroy(written);
    file_deinit(&file);
  }
}

/** The file is refused with a message that names it and holds WORDS. */
static void assert_refused(const struct file *file, const char *words) {
  struct pyheap_snapshot *snapshot = NULL;
  struct pyheap_error *error =
      pyheap_snapshot_load(file->path, true, &snapshot);

  assert_non_null(error);
  assert_int_equal(error->code, PYHEAP_ERROR_NOT_SNAPSHOT);
  assert_non_null(strstr(error->message, file->path));
  if (!strstr(error->message, words))
    print_error("'%s' does not say '%s'\n", error->message, words);
  assert_non_null(strstr(error->message, words));
  pyheap_error_destroy(error);
}

/** Makes the header's checksum right again. */
static void mend_header(struct file *file) {
  put_u32(file->bytes + FILE_SUM, crc32c(0, file->bytes, FILE_SUM));
}

static void test_refused(void **state) {
  (void)state;
  struct pyheap_snapshot *snapshot = make(FEW, 1);
  struct file file;
  file_init(&file, snapshot);
  const struct {
    size_t at;
    uint32_t value;
    bool mended;
    const char *words;
  } cases[] = {
      {0, 0, true, "is no snapshot of muppy"},
      {4, 0x0a59, true, "is no snapshot"},
      {FILE_VERSION, 2, false, "has the snapshot format 2"},
      {FILE_VERSION, 0, true, "has the snapshot format 0"},
      {FILE_CHUNKS, 7, false, "checksum of its header"},
      {FILE_CHUNKS, 6, true, "parts do not fit"},
      {FILE_CHUNKS, UINT32_MAX, true, "parts do not fit"},
      {FILE_BYTES, 7, true, "is damaged: it has"},
      {FILE_BYTES, INT32_MAX, true, "is truncated: it has"},
      {FILE_OBJECTS, INT32_MAX, true, "more objects than there can be"},
      {FILE_OBJECTS, INT32_MAX - ROOTS, true, "parts do not fit"},
      {FILE_OBJECTS, CHUNK_OBJECTS, true, "parts make no sense"},
      {FILE_TYPES, UINT32_MAX, true, "parts make no sense"},
      {FILE_ROOTS, 1 << 30, true, "parts make no sense"},
      {FILE_HEADER + CHUNK_KIND, 9, true, "parts make no sense"},
      {FILE_HEADER + CHUNK_BYTES, UINT32_MAX, true, "parts make no sense"},
      {FILE_HEADER + CHUNK_SUM, 0, true, "a checksum is wrong"},
      {FILE_HEADER + CHUNK_HEADER, 0, true, "a checksum is wrong"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t saved[4], sum[4];
    memcpy(saved, file.bytes + cases[i].at, 4);
    memcpy(sum, file.bytes + FILE_SUM, 4);
    put_u32(file.bytes + cases[i].at, cases[i].value);
    if (cases[i].mended)
      mend_header(&file);
    write_bytes(&file, file.length);
    assert_refused(&file, cases[i].words);
    memcpy(file.bytes + cases[i].at, saved, 4);
    memcpy(file.bytes + FILE_SUM, sum, 4);
  }
  /* What changes the ends of lines changes the magic. */
  file.bytes[6] = '\n';
  write_bytes(&file, file.length);
  assert_refused(&file, "text mode");
  file_deinit(&file);
  pyheap_snapshot_destroy(snapshot);
}

static void test_truncated(void **state) {
  (void)state;
  struct pyheap_snapshot *snapshot = make(FEW, 1);
  struct file file;
  file_init(&file, snapshot);

  for (size_t length = 0; length < file.length;
       length += length < 200 ? 1 : 97) {
    write_bytes(&file, length);
    assert_refused(&file, length < FILE_HEADER ? "bytes only" : "truncated");
    /* The header tells of the shorter length, too. */
    if (length < FILE_HEADER)
      continue;
    uint8_t header[FILE_HEADER];
    memcpy(header, file.bytes, FILE_HEADER);
    put_u64(file.bytes + FILE_BYTES, length);
    mend_header(&file);
    write_bytes(&file, length);
    assert_refused(&file, "damaged");
    memcpy(file.bytes, header, FILE_HEADER);
  }
  file_deinit(&file);
  pyheap_snapshot_destroy(snapshot);
}

/** Makes the checksums of all chunks right again, as far as there are such. */
static void mend_chunks(struct file *file) {
  size_t at = FILE_HEADER;

  while (file->length - at >= CHUNK_HEADER) {
    uint8_t *chunk = file->bytes + at;
    uint64_t bytes = get_u64(chunk + CHUNK_BYTES);
    if (bytes > file->length - at - CHUNK_HEADER)
      return;
    uint32_t sum = crc32c(0, chunk, CHUNK_SUM);
    put_u32(chunk + CHUNK_SUM, crc32c(sum, chunk + CHUNK_HEADER, bytes));
    at += CHUNK_HEADER + bytes;
  }
}

/** Any damage, with checksums that fit it: it is refused, or what is read is
 * sound. */
static void test_mutations(void **state) {
  (void)state;
  static const uint8_t bytes[] = {0, 1, 0x7f, 0x80, 0xff};
  struct pyheap_snapshot *snapshot = make(60, 3), *read;
  uint64_t seed = 1;
  unsigned accepted = 0;
  struct file file;
  file_init(&file, snapshot);
  uint8_t *whole = malloc(file.length);
  assert_non_null(whole);
  memcpy(whole, file.bytes, file.length);

  for (unsigned i = 0; i < MUTATIONS; i++) {
    memcpy(file.bytes, whole, file.length);
    for (uint64_t left = next_random(&seed) % 3 + 1; left; left--) {
      size_t at = next_random(&seed) % file.length;
      uint64_t what = next_random(&seed);
      if (what % 2)
        file.bytes[at] = bytes[what / 2 % sizeof bytes];
      else
        file.bytes[at] ^= (uint8_t)(1u << what / 2 % 8);
    }
    mend_header(&file);
    mend_chunks(&file);
    write_bytes(&file, file.length);
    struct pyheap_error *error = pyheap_snapshot_load(file.path, true, &read);
    if (!error) {
      check_sound(read);
      pyheap_snapshot_destroy(read);
      accepted++;
      continue;
    }
    assert_int_equal(error->code, PYHEAP_ERROR_NOT_SNAPSHOT);
    pyheap_error_destroy(error);
  }
  /* Another size is as good as the first. */
  assert_true(accepted > MUTATIONS / 10 && accepted < MUTATIONS * 9 / 10);
  free(whole);
  file_deinit(&file);
  pyheap_snapshot_destroy(snapshot);
}

/* Comparing --------------------------------------------------------------- */

static void test_processes(void **state) {
  (void)state;
  const struct pyheap_identity whole = {.hexversion = 0x030b02f0,
                                        .pid = 10,
                                        .program_start = 77,
                                        .boot = 3,
                                        .started = 500,
                                        .runtime = 0x1000,
                                        .build_id = {1},
                                        .build_id_size = 20};
  struct pyheap_identity other = whole;
#define COMPARE pyheap_identity_compare(&whole, &other)

  assert_int_equal(COMPARE, PYHEAP_SAME_PROCESS);
  /* A core file does not tell when the process started. */
  other.boot = other.started = 0;
  assert_int_equal(COMPARE, PYHEAP_SAME_PROCESS);
  other.pid = 11;
  assert_int_equal(COMPARE, PYHEAP_RELATED_PROCESSES);
  other = whole;
  other.started = 501;
  assert_int_equal(COMPARE, PYHEAP_RELATED_PROCESSES);
  other = whole;
  other.program_start = 78;
  assert_int_equal(COMPARE, PYHEAP_OTHER_PROCESS);
  other.program_start = 0;
  assert_int_equal(COMPARE, PYHEAP_SAME_PROCESS_PROBABLY);
  other.build_id[0] = 2;
  assert_int_equal(COMPARE, PYHEAP_OTHER_PROCESS);
  other = whole;
  other.program_start = 0;
  other.pid = 0;
  assert_int_equal(COMPARE, PYHEAP_OTHER_PROCESS);
  other = whole;
  other.runtime = 0x2000;
  assert_int_equal(COMPARE, PYHEAP_OTHER_PROCESS);
#undef COMPARE
}

static void set(struct pyheap_snapshot *snapshot, uint32_t object,
                uint64_t address, uint32_t type, uint64_t size,
                uint16_t fingerprint, uint8_t flags) {
  snapshot->addresses[object] = address;
  snapshot->type_of[object] = type;
  snapshot->sizes[object] = size;
  snapshot->fingerprints[object] = fingerprint;
  snapshot->flags[object] = flags;
}

static void assert_change(const struct pyheap_changes *changes,
                          enum pyheap_change kind, size_t index,
                          pyheap_node before, pyheap_node after) {
  assert_true(index < changes->kinds[kind].count);
  assert_int_equal(changes->kinds[kind].items[index].before, before);
  assert_int_equal(changes->kinds[kind].items[index].after, after);
}

static void test_changes(void **state) {
  (void)state;
  enum {
    ORPHAN = PYHEAP_SNAPSHOT_ORPHAN
  };
  struct pyheap_snapshot *before = make(9, 1), *after = make(9, 2);
  struct pyheap_difference_row *rows;
  struct pyheap_changes changes;
  size_t count;

  /* The types are the same ones at other places, but for one. */
  struct pyheap_type moved = after->types[1];
  after->types[1] = after->types[2];
  after->types[2] = moved;
  after->types[9].address += 8;
  set(before, 0, 0x10, 1, 100, 0, 0); /* Stays. */
  set(after, 0, 0x10, 2, 100, 0, 0);
  set(before, 1, 0x20, 1, 100, 0, 0); /* Grows. */
  set(after, 1, 0x20, 2, 150, 0, 0);
  set(before, 2, 0x30, 1, 100, 0, 0); /* Shrinks. */
  set(after, 2, 0x30, 2, 90, 0, 0);
  set(before, 3, 0x40, 1, 100, 0, 0); /* Goes. */
  set(after, 3, 0x48, 2, 70, 0, 0);   /* Comes. */
  set(before, 4, 0x50, 1, 100, 5, 0); /* Another value, so another. */
  set(after, 4, 0x50, 2, 100, 6, 0);
  set(before, 5, 0x60, 1, 100, 0, 0); /* Another type. */
  set(after, 5, 0x60, 1, 100, 0, 0);
  set(before, 6, 0x70, 1, 100, 0, 0); /* Is lost. */
  set(after, 6, 0x70, 2, 100, 0, ORPHAN);
  set(before, 7, 0x80, 1, 100, 0, ORPHAN); /* Never was there. */
  set(after, 7, 0x88, 2, 100, 0, ORPHAN);
  set(before, 8, 0x90, 9, 100, 0, 0); /* The type is another one. */
  set(after, 8, 0x90, 9, 100, 0, 0);

  assert_null(pyheap_changes_init(before, after, &changes));
  assert_int_equal(changes.kinds[PYHEAP_CHANGE_GROWN].count, 1);
  assert_change(&changes, PYHEAP_CHANGE_GROWN, 0, 1, 1);
  assert_int_equal(changes.kinds[PYHEAP_CHANGE_SHRUNK].count, 1);
  assert_change(&changes, PYHEAP_CHANGE_SHRUNK, 0, 2, 2);
  assert_int_equal(changes.kinds[PYHEAP_CHANGE_LOST].count, 1);
  assert_change(&changes, PYHEAP_CHANGE_LOST, 0, 6, 6);
  assert_int_equal(changes.kinds[PYHEAP_CHANGE_GONE].count, 4);
  assert_int_equal(changes.kinds[PYHEAP_CHANGE_NEW].count, 4);
  assert_change(&changes, PYHEAP_CHANGE_GONE, 0, 3, PYHEAP_NO_NODE);
  assert_change(&changes, PYHEAP_CHANGE_GONE, 1, 4, PYHEAP_NO_NODE);
  assert_change(&changes, PYHEAP_CHANGE_GONE, 2, 5, PYHEAP_NO_NODE);
  assert_change(&changes, PYHEAP_CHANGE_GONE, 3, 8, PYHEAP_NO_NODE);
  assert_change(&changes, PYHEAP_CHANGE_NEW, 0, PYHEAP_NO_NODE, 3);
  assert_change(&changes, PYHEAP_CHANGE_NEW, 3, PYHEAP_NO_NODE, 8);
  assert_int_equal(changes.replaced, 3);
  pyheap_changes_deinit(&changes);

  assert_null(pyheap_compare_types(before, after, NULL, NULL, &rows, &count));
  int64_t objects = 0, bytes = 0;
  for (size_t i = 0; i < count; i++) {
    assert_true(!i || strcmp(rows[i - 1].name, rows[i].name) < 0);
    objects += rows[i].count;
    bytes += rows[i].bytes;
    if (strcmp(rows[i].name, "module.Type1") == 0) {
      assert_int_equal(rows[i].count, -2);
      assert_int_equal(rows[i].bytes, -190);
    }
  }
  assert_int_equal(objects, -1);
  assert_int_equal(bytes, -90);
  free(rows);
  pyheap_snapshot_destroy(before);
  pyheap_snapshot_destroy(after);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_numbers),    cmocka_unit_test(test_checksum),
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_truncated),  cmocka_unit_test(test_mutations),
      cmocka_unit_test(test_processes),  cmocka_unit_test(test_changes),
  };
  return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
