/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Core files, right and wrong ones: what can be read of them, and what is said
 * when something cannot.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pyheap/memory.h"
#include "pyheap/pyheap.h"
#include "tests/unit/elf_writer.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
  BASE = 0x10000,    /**< Where the first segment starts. */
  SIZE = 256,        /**< Bytes of a segment. */
  SWEEP_SECONDS = 5, /**< What a sweep may take. */
};

/** Three segments with a gap, the last without its end. */
static const struct elf_segment plain_segments[] = {
    {.address = BASE, .filesz = SIZE},
    {.address = BASE + 0x1000, .filesz = SIZE, .flags = PF_R},
    {.address = BASE + 0x2000, .filesz = SIZE, .memsz = 2 * SIZE},
};

static const struct elf_mapping plain_mappings[] = {
    {BASE + 0x4000, BASE + 0x5000, 0, "/nonexistent/program"},
    {BASE + 0x5000, BASE + 0x6000, 1, "/nonexistent/library.so"},
};

static const struct elf_core plain = {
    .segments = plain_segments,
    .segment_count = COUNT(plain_segments),
    .mappings = plain_mappings,
    .mapping_count = COUNT(plain_mappings),
    .entry = BASE + 0x4010,
    .pid = 4711,
};

static struct pyheap_error *open_bytes(struct memory *memory, const void *bytes,
                                       size_t size) {
  char *path = file_write(bytes, size);
  struct pyheap_target target = {.core = path};
  struct pyheap_error *error = memory_open_core(memory, &target);
  file_remove(path);
  return error;
}

static struct pyheap_error *open_core(struct memory *memory,
                                      const struct elf_core *core) {
  size_t size;
  uint8_t *bytes = elf_core_write(core, &size);
  struct pyheap_error *error = open_bytes(memory, bytes, size);
  free(bytes);
  return error;
}

/** The byte that the writer puts at OFFSET of a segment without data. */
static uint8_t counted(uint64_t offset) {
  return (uint8_t)(offset % 255 + 1);
}

static void assert_saved(const struct memory *memory, uint64_t start,
                         uint64_t size) {
  const uint8_t *bytes = memory_at(memory, start, size);
  assert_non_null(bytes);
  for (uint64_t i = 0; i < size; i++)
    assert_int_equal(bytes[i], counted(i));
}

/** Reading at ADDRESS is a fault that names it. */
static void assert_fault(const struct memory *memory, uint64_t address) {
  uint64_t value = 42;
  struct pyheap_error *error = memory_read_u64(memory, address, &value);
  assert_non_null(error);
  assert_int_equal(error->code, PYHEAP_ERROR_FAULT);
  assert_true(error->address == address);
  assert_int_equal(value, 42);
  char text[32];
  snprintf(text, sizeof text, "0x%llx", (unsigned long long)address);
  assert_non_null(strstr(error->message, text));
  pyheap_error_destroy(error);
}

static void test_plain(void **state) {
  (void)state;
  struct memory memory = {0};
  assert_null(open_core(&memory, &plain));
  assert_saved(&memory, BASE, SIZE);
  assert_saved(&memory, BASE + 0x1000, SIZE);
  assert_int_equal(memory.pid, 4711);
  assert_int_equal(memory.thread_count, 1);
  assert_int_equal(memory.threads[0], 4711);
  assert_true(memory.entry == BASE + 0x4010);
  assert_int_equal(memory.file_count, 2);
  assert_string_equal(memory.files[1].path, "/nonexistent/library.so");
  assert_true(memory.files[1].start == BASE + 0x5000);
  assert_int_equal(memory.files[1].offset, 4096);
  assert_ptr_equal(memory_file_at(&memory, BASE + 0x5fff), &memory.files[1]);
  assert_true(memory_range_at(&memory, BASE)->flags & MEMORY_WRITABLE);
  assert_false(memory_range_at(&memory, BASE + 0x1000)->flags &
               MEMORY_WRITABLE);
  memory_deinit(&memory);
}

static void test_edges(void **state) {
  (void)state;
  struct memory memory = {0};
  assert_null(open_core(&memory, &plain));
  uint64_t value, expected;
  uint64_t last = BASE + SIZE - sizeof value;
  assert_null(memory_read_u64(&memory, last, &value));
  memcpy(&expected, memory_at(&memory, BASE, SIZE) + SIZE - 8, 8);
  assert_true(value == expected);
  assert_fault(&memory, last + 1);
  assert_fault(&memory, BASE - 1);
  assert_fault(&memory, BASE + SIZE);
  assert_fault(&memory, 0);
  assert_fault(&memory, UINT64_MAX);
  assert_fault(&memory, UINT64_MAX - 7);
  assert_fault(&memory, (uint64_t)1 << 47);
  assert_null(memory_at(&memory, BASE, SIZE + 1));
  assert_null(memory_at(&memory, BASE, UINT64_MAX));
  memory_deinit(&memory);
}

/** What was not saved is a fault, never zeros. */
static void test_unsaved_tail(void **state) {
  (void)state;
  struct memory memory = {0};
  assert_null(open_core(&memory, &plain));
  assert_saved(&memory, BASE + 0x2000, SIZE);
  assert_fault(&memory, BASE + 0x2000 + SIZE);
  assert_fault(&memory, BASE + 0x2000 + SIZE - 4);
  assert_fault(&memory, BASE + 0x2000 + 2 * SIZE - 8);
  assert_true(memory.missing_bytes >= SIZE);
  memory_deinit(&memory);
}

static void test_nothing_saved(void **state) {
  (void)state;
  const struct elf_segment segments[] = {
      {.address = BASE, .filesz = 0, .memsz = SIZE},
      {.address = BASE + 0x1000, .filesz = SIZE},
  };
  struct memory memory = {0};
  assert_null(open_core(
      &memory, &(struct elf_core){.segments = segments, .segment_count = 2}));
  assert_fault(&memory, BASE);
  assert_saved(&memory, BASE + 0x1000, SIZE);
  assert_true(memory.missing_bytes == SIZE);
  assert_true(memory.present_bytes == SIZE);
  memory_deinit(&memory);
}

static void test_notes_last(void **state) {
  (void)state;
  struct elf_core core = plain;
  core.notes_last = true;
  struct memory memory = {0};
  assert_null(open_core(&memory, &core));
  assert_saved(&memory, BASE, SIZE);
  assert_int_equal(memory.pid, 4711);
  assert_int_equal(memory.file_count, 2);
  memory_deinit(&memory);
}

static void test_extended_count(void **state) {
  (void)state;
  struct elf_core core = plain;
  core.extended_count = true;
  struct memory memory = {0};
  assert_null(open_core(&memory, &core));
  assert_saved(&memory, BASE, SIZE);
  assert_saved(&memory, BASE + 0x2000, SIZE);
  memory_deinit(&memory);
}

static void test_unsorted(void **state) {
  (void)state;
  const struct elf_segment segments[] = {
      {.address = BASE + 0x2000, .filesz = SIZE},
      {.address = BASE, .filesz = SIZE},
      {.address = BASE + 0x1000, .filesz = SIZE},
  };
  struct memory memory = {0};
  assert_null(open_core(
      &memory, &(struct elf_core){.segments = segments, .segment_count = 3}));
  for (size_t i = 0; i < COUNT(segments); i++)
    assert_saved(&memory, segments[i].address, SIZE);
  for (size_t i = 1; i < memory.range_count; i++)
    assert_true(memory.ranges[i - 1].end <= memory.ranges[i].start);
  memory_deinit(&memory);
}

/** Overlapping segments read as one of them at every byte, and saved bytes go
 * before those that were not saved. */
static void test_overlapping(void **state) {
  (void)state;
  const struct elf_segment segments[] = {
      {.address = BASE, .filesz = SIZE, .memsz = 4 * SIZE},
      {.address = BASE + SIZE, .filesz = SIZE},
      {.address = BASE + SIZE + SIZE / 2, .filesz = SIZE},
      {.address = BASE, .filesz = SIZE},
  };
  struct memory memory = {0};
  assert_null(open_core(
      &memory, &(struct elf_core){.segments = segments, .segment_count = 4}));
  assert_saved(&memory, BASE, SIZE);
  assert_saved(&memory, BASE + SIZE, SIZE / 2);
  assert_non_null(memory_at(&memory, BASE + 2 * SIZE, SIZE / 2));
  assert_fault(&memory, BASE + 3 * SIZE);
  for (size_t i = 1; i < memory.range_count; i++)
    assert_true(memory.ranges[i - 1].end <= memory.ranges[i].start);
  memory_deinit(&memory);
}

/** Segments that no address space can hold: refused or left out. */
static void test_wrap_around(void **state) {
  (void)state;
  const struct elf_segment segments[] = {
      {.address = BASE, .filesz = SIZE},
      {.address = UINT64_MAX - 0xff, .filesz = SIZE, .memsz = 0x10000},
      {.address = BASE + 0x1000, .filesz = SIZE, .memsz = UINT64_MAX - BASE},
      {.address = UINT64_MAX - 7, .filesz = SIZE},
      {.address = BASE + 0x3000, .filesz = SIZE, .offset = UINT64_MAX - 16},
      {.address = BASE + 0x4000, .filesz = SIZE, .offset = INT64_MAX},
  };
  for (size_t i = 1; i < COUNT(segments); i++) {
    const struct elf_segment pair[] = {segments[0], segments[i]};
    struct memory memory = {0};
    struct pyheap_error *error = open_core(
        &memory, &(struct elf_core){.segments = pair, .segment_count = 2});
    if (!error) {
      assert_saved(&memory, BASE, SIZE);
      assert_fault(&memory, UINT64_MAX - 7);
      assert_fault(&memory, BASE + 0x3000);
      assert_fault(&memory, BASE + 0x4000);
    }
    pyheap_error_destroy(error);
    memory_deinit(&memory);
  }
}

/** The kernel saves the vsyscall page too, which lies above user memory: no
 * reason to worry anybody. */
static void test_vsyscall(void **state) {
  (void)state;
  const struct elf_segment segments[] = {
      {.address = BASE, .filesz = SIZE},
      {.address = 0xffffffffff600000, .filesz = 4096, .flags = PF_X},
  };
  struct memory memory = {0};
  assert_null(open_core(
      &memory, &(struct elf_core){.segments = segments, .segment_count = 2}));
  assert_saved(&memory, BASE, SIZE);
  assert_int_equal(memory.note_count, 0);
  memory_deinit(&memory);
}

/** A list of files that claims more lines than it has. */
static void test_claimed_files(void **state) {
  (void)state;
  static const uint64_t claims[] = {
      3, 4, 1000, (uint64_t)1 << 32, (uint64_t)1 << 60, UINT64_MAX};
  for (size_t i = 0; i < COUNT(claims); i++) {
    struct elf_core core = plain;
    core.mapping_claim = claims[i];
    struct memory memory = {0};
    struct pyheap_error *error = open_core(&memory, &core);
    if (!error) {
      assert_saved(&memory, BASE, SIZE);
      assert_true(memory.file_count <= 4);
    }
    pyheap_error_destroy(error);
    memory_deinit(&memory);
  }
}

/** A file that is refused, by the library and by what it builds on. */
static void assert_refused(const char *path, enum pyheap_error_code code) {
  struct pyheap_target target = {.core = path};
  struct memory memory = {0};
  struct pyheap_error *error = memory_open_core(&memory, &target);
  assert_non_null(error);
  if (error->code != code)
    print_error("%s: code %d: %s\n", path, error->code, error->message);
  assert_int_equal(error->code, code);
  assert_true(strlen(error->message) > 0);
  assert_null(strchr(error->message, '\n'));
  pyheap_error_destroy(error);
  memory_deinit(&memory);

  struct pyheap *heap = NULL;
  error = pyheap_open(&target, &heap);
  assert_non_null(error);
  assert_null(heap);
  assert_int_equal(error->code, code);
  pyheap_error_destroy(error);
}

static void assert_core_refused(const struct elf_core *core,
                                enum pyheap_error_code code) {
  size_t size;
  uint8_t *bytes = elf_core_write(core, &size);
  char *path = file_write(bytes, size);
  assert_refused(path, code);
  file_remove(path);
  free(bytes);
}

static void test_wrong_headers(void **state) {
  (void)state;
  struct elf_core core = plain;
  core.machine = EM_AARCH64;
  assert_core_refused(&core, PYHEAP_ERROR_FOREIGN);
  core = plain;
  core.encoding = ELFDATA2MSB;
  assert_core_refused(&core, PYHEAP_ERROR_FOREIGN);
  core = plain;
  core.class = ELFCLASS32;
  assert_core_refused(&core, PYHEAP_ERROR_FOREIGN);
  core = plain;
  core.type = ET_EXEC;
  assert_core_refused(&core, PYHEAP_ERROR_NOT_CORE);
  core = plain;
  core.phentsize = sizeof(Elf64_Phdr) - 1;
  assert_core_refused(&core, PYHEAP_ERROR_NOT_CORE);
  core = plain;
  core.no_headers = true;
  assert_core_refused(&core, PYHEAP_ERROR_NOT_CORE);
}

static void test_no_core(void **state) {
  (void)state;
  static const char text[] = "This is no core file, although it is long enough "
                             "to hold the header of one and then some more.\n";
  char *path = file_write(text, sizeof text);
  assert_refused(path, PYHEAP_ERROR_NOT_CORE);
  file_remove(path);
  path = file_write(text, 0);
  assert_refused(path, PYHEAP_ERROR_NOT_CORE);
  file_remove(path);
  path = file_write(ELFMAG, SELFMAG);
  assert_refused(path, PYHEAP_ERROR_NOT_CORE);
  file_remove(path);
  assert_refused("/proc/self/exe", PYHEAP_ERROR_NOT_CORE);
  assert_refused("/nonexistent/core", PYHEAP_ERROR_OS);
}

/** Neither a directory nor a device hangs or is taken for a core. */
static void test_no_file(void **state) {
  (void)state;
  static const char *const paths[] = {"/", "/dev/null", "/dev/zero"};
  for (size_t i = 0; i < COUNT(paths); i++) {
    struct pyheap_target target = {.core = paths[i]};
    struct memory memory = {0};
    struct pyheap_error *error = memory_open_core(&memory, &target);
    assert_non_null(error);
    pyheap_error_destroy(error);
    memory_deinit(&memory);
  }
}

/** A good core of a program that is no Python. */
static void test_no_python(void **state) {
  (void)state;
  size_t size;
  uint8_t *bytes = elf_core_write(&plain, &size);
  char *path = file_write(bytes, size);
  struct pyheap_target target = {.core = path};
  struct pyheap *heap = NULL;
  struct pyheap_error *error = pyheap_open(&target, &heap);
  assert_non_null(error);
  assert_int_equal(error->code, PYHEAP_ERROR_NOT_PYTHON);
  assert_null(heap);
  pyheap_error_destroy(error);
  file_remove(path);
  free(bytes);
}

/** Counts the bytes that can be read; all of them must be the right ones. */
static uint64_t count_readable(const struct memory *memory) {
  uint64_t readable = 0;
  for (size_t i = 0; i < COUNT(plain_segments); i++) {
    const struct elf_segment *segment = &plain_segments[i];
    for (uint64_t j = 0; j < segment->filesz; j++) {
      const uint8_t *byte = memory_at(memory, segment->address + j, 1);
      if (!byte)
        continue;
      assert_int_equal(*byte, counted(j));
      readable++;
    }
  }
  return readable;
}

/** Cuts a core at every byte: it is refused or reads right, and less of the
 * file never gives more of the memory. */
static void sweep_truncation(bool notes_last) {
  struct elf_core core = plain;
  core.notes_last = notes_last;
  size_t size;
  uint8_t *bytes = elf_core_write(&core, &size);
  uint64_t most = 0;
  for (size_t cut = 0; cut <= size; cut++) {
    struct memory memory = {0};
    struct pyheap_error *error = open_bytes(&memory, bytes, cut);
    if (error) {
      assert_int_equal(error->code, PYHEAP_ERROR_NOT_CORE);
      assert_int_equal(most, 0);
    } else {
      uint64_t readable = count_readable(&memory);
      assert_true(readable >= most);
      /* An answer that leaves something out says so. */
      if (readable < COUNT(plain_segments) * SIZE)
        assert_true(memory.note_count > 0);
      most = readable;
    }
    pyheap_error_destroy(error);
    memory_deinit(&memory);
  }
  assert_int_equal(most, COUNT(plain_segments) * SIZE);
  free(bytes);
}

static void test_truncation_notes_first(void **state) {
  (void)state;
  sweep_truncation(false);
}

static void test_truncation_notes_last(void **state) {
  (void)state;
  sweep_truncation(true);
}

/** Reads every byte that MEMORY says it has. */
static uint64_t touch(const struct memory *memory) {
  uint64_t sum = 0;
  for (size_t i = 0; i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    assert_true(range->start < range->end);
    for (uint64_t address = range->start; range->bytes && address < range->end;
         address++)
      sum += range->bytes[address - range->start];
  }
  return sum;
}

/** Flips bits of everything but the data, each alone and then at random. */
static void test_bit_flips(void **state) {
  (void)state;
  struct elf_core core = plain;
  core.extended_count = true;
  size_t size;
  uint8_t *bytes = elf_core_write(&core, &size);
  size_t bits = 8 * (size - COUNT(plain_segments) * SIZE);
  time_t end = time(NULL) + SWEEP_SECONDS;
  uint64_t random = 0x9e3779b97f4a7c15, sum = 0;
  size_t tried = 0;
  for (; tried < 3 * bits && time(NULL) < end; tried++) {
    size_t flips = tried < bits ? 1 : 1 + tried % 7;
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    for (size_t i = 0; i < flips; i++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      size_t bit = flips == 1 ? tried % bits : (random >> 33) % bits;
      copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    struct memory memory = {0};
    struct pyheap_error *error = open_bytes(&memory, copy, size);
    if (!error)
      sum += touch(&memory);
    pyheap_error_destroy(error);
    memory_deinit(&memory);
    free(copy);
  }
  assert_true(tried > 0 && sum > 0);
  free(bytes);
}

int main(void) {
  const struct CMUnitTest memory_core[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_edges),
      cmocka_unit_test(test_unsaved_tail),
      cmocka_unit_test(test_nothing_saved),
      cmocka_unit_test(test_notes_last),
      cmocka_unit_test(test_extended_count),
      cmocka_unit_test(test_unsorted),
      cmocka_unit_test(test_overlapping),
      cmocka_unit_test(test_wrap_around),
      cmocka_unit_test(test_vsyscall),
      cmocka_unit_test(test_claimed_files),
      cmocka_unit_test(test_wrong_headers),
      cmocka_unit_test(test_no_core),
      cmocka_unit_test(test_no_file),
      cmocka_unit_test(test_no_python),
      cmocka_unit_test(test_truncation_notes_first),
      cmocka_unit_test(test_truncation_notes_last),
      cmocka_unit_test(test_bit_flips),
  };
  return cmocka_run_group_tests(memory_core, NULL, NULL);
}
