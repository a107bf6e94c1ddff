/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "damage.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pyheap/pyheap.h"

enum {
  PAGE = 4096,
  HEADER_BYTES = 8192,
  ROOT_WORDS = 2048,    /**< Those of a root that most edits are in. */
  POOL_WORDS = 8,       /**< Of the header of a pool, and of an arena. */
  SEGMENT = 32 << 20,   /**< Of mimalloc. */
  SEGMENT_WORDS = 8192, /**< Its header, and what it says of its pages. */
};

const char *const damage_places[PLACE_COUNT] = {
    "gc links", "objects", "behind objects", "types", "dict tables",
    "roots",    "headers", "allocator",      "pages", "truncation",
};

/** Bytes that were there before. */
struct saved {
  uint64_t offset;
  size_t length;
  uint8_t bytes[PAGE];
};

/** Addresses to choose from. */
struct addresses {
  uint64_t *list;
  size_t count;
};

struct damage {
  int fd; /**< The copy, in memory. */
  int original_fd;
  char path[64];
  const uint8_t *original;
  uint64_t size;
  struct addresses objects, types, dicts, roots;
  struct saved **saved;
  size_t saved_count;
  bool truncated;
};

static void fail(const char *what, const char *why) {
  fprintf(stderr, "damage: %s: %s\n", what, why);
  exit(2);
}

static void *must(void *memory) {
  if (!memory)
    fail("memory", "none left");
  return memory;
}

uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

/* The copy ---------------------------------------------------------------- */

static void write_all(int fd, const uint8_t *bytes, uint64_t length,
                      uint64_t offset) {
  while (length) {
    ssize_t written = pwrite(fd, bytes, length, (off_t)offset);
    if (written <= 0)
      fail("copy", "cannot be written");
    bytes += written;
    offset += (uint64_t)written;
    length -= (uint64_t)written;
  }
}

/** Makes the copy what the core file is, with its holes: a free-threaded one
 * reserves a gigabyte. */
static void copy_data(const struct damage *damage) {
  off_t start, end = 0, size = (off_t)damage->size;
  if (ftruncate(damage->fd, 0) < 0 || ftruncate(damage->fd, size) < 0)
    fail("copy", "cannot be written");
  while ((start = lseek(damage->original_fd, end, SEEK_DATA)) >= 0) {
    end = lseek(damage->original_fd, start, SEEK_HOLE);
    if (end < 0)
      fail("core", "has no end");
    write_all(damage->fd, damage->original + start, (uint64_t)(end - start),
              (uint64_t)start);
  }
}

static void copy_core(struct damage *damage, const char *core) {
  struct stat status;
  int fd = open(core, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) < 0 || status.st_size < HEADER_BYTES)
    fail(core, "cannot be read");
  damage->size = (uint64_t)status.st_size;
  void *bytes = mmap(NULL, damage->size, PROT_READ, MAP_PRIVATE, fd, 0);
  damage->original_fd = fd;
  damage->fd = memfd_create("damaged core", 0);
  if (bytes == MAP_FAILED || damage->fd < 0)
    fail(core, "cannot be copied");
  damage->original = bytes;
  copy_data(damage);
  snprintf(damage->path, sizeof damage->path, "/proc/self/fd/%d", damage->fd);
}

/** The offset in the file of what stands at ADDRESS; 0 when it is not there. */
static uint64_t offset_of(const struct damage *damage, uint64_t address) {
  Elf64_Ehdr header;
  memcpy(&header, damage->original, sizeof header);
  for (unsigned i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr segment;
    memcpy(&segment, damage->original + header.e_phoff + i * sizeof segment,
           sizeof segment);
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
        address - segment.p_vaddr < segment.p_filesz)
      return segment.p_offset + (address - segment.p_vaddr);
  }
  return 0;
}

static uint64_t word_at(const struct damage *damage, uint64_t offset) {
  uint64_t word = 0;
  if (offset && offset + sizeof word <= damage->size)
    memcpy(&word, damage->original + offset, sizeof word);
  return word;
}

/* What there is to damage -------------------------------------------------- */

static void add(struct addresses *addresses, uint64_t address) {
  if (!(addresses->count & (addresses->count - 1)))
    addresses->list = must(reallocarray(
        addresses->list, addresses->count ? 2 * addresses->count : 1,
        sizeof *addresses->list));
  addresses->list[addresses->count++] = address;
}

static void add_nodes(struct damage *damage, const struct pyheap *heap) {
  for (pyheap_node node = 0; node < pyheap_node_count(heap); node++) {
    uint64_t address = pyheap_address(heap, node);
    if (pyheap_is_root(heap, node)) {
      add(&damage->roots, address);
      continue;
    }
    add(&damage->objects, address);
    const char *type = pyheap_type(heap, pyheap_type_of(heap, node))->name;
    if (strcmp(type, "dict") == 0)
      add(&damage->dicts, address);
  }
  for (uint32_t i = 0; i < pyheap_type_count(heap); i++)
    add(&damage->types, pyheap_type(heap, i)->address);
}

struct damage *damage_open(const char *core) {
  struct damage *damage = must(calloc(1, sizeof *damage));
  /* One thread: a process that has others must not fork. */
  struct pyheap_target target = {.core = core, .threads = 1};
  struct pyheap *heap = NULL;

  copy_core(damage, core);
  struct pyheap_error *error = pyheap_open(&target, &heap);
  if (!error)
    error = pyheap_find_objects(heap);
  if (error)
    fail(core, error->message);
  add_nodes(damage, heap);
  pyheap_close(heap);
  if (!damage->objects.count || !damage->types.count || !damage->dicts.count ||
      !damage->roots.count)
    fail(core, "there is nothing in it");
  return damage;
}

const char *damage_path(const struct damage *damage) {
  return damage->path;
}

uint64_t damage_object_count(const struct damage *damage) {
  return damage->objects.count;
}

/* Edits ------------------------------------------------------------------- */

/** Writes LENGTH bytes, a page at most, and keeps what was there. */
static void put(struct damage *damage, uint64_t offset, const void *bytes,
                size_t length) {
  if (!offset || offset >= damage->size)
    return;
  if (length > damage->size - offset)
    length = damage->size - offset;
  struct saved *saved = must(malloc(sizeof *saved));
  saved->offset = offset;
  saved->length = length;
  memcpy(saved->bytes, damage->original + offset, length);
  damage->saved = must(reallocarray(damage->saved, damage->saved_count + 1,
                                    sizeof *damage->saved));
  damage->saved[damage->saved_count++] = saved;
  write_all(damage->fd, bytes, length, offset);
}

static uint64_t pick(const struct addresses *addresses, uint64_t number) {
  return addresses->list[number % addresses->count];
}

/** What comes where WORD was, at ADDRESS (0: in no memory). */
static uint64_t changed(const struct damage *damage, const struct edit *edit,
                        uint64_t word, uint64_t address) {
  uint64_t value = edit->value;
  switch (edit->how % 12) {
  case 0:
    return word ^ 1ull << value % 64;
  case 1:
    return value;
  case 2:
    return 0;
  case 3:
    return value % 256;
  case 4:
    return pick(&damage->objects, value);
  case 5:
    return pick(&damage->types, value);
  case 6:
    return address & ~15ull;
  case 7:
    return word + value % 64 - 32;
  case 8:
    return 1ull << value % 64;
  case 9:
    return -(value % 4096);
  case 10:
    return word ^ (value & 0xff) << 8 * (value >> 8 & 7);
  default:
    return pick(&damage->objects, value) - 16;
  }
}

static void change_word(struct damage *damage, const struct edit *edit,
                        uint64_t address) {
  uint64_t offset = offset_of(damage, address);
  uint64_t word = changed(damage, edit, word_at(damage, offset), address);
  put(damage, offset, &word, sizeof word);
}

static void change_page(struct damage *damage, const struct edit *edit) {
  uint8_t page[PAGE] = {0};
  uint64_t state = edit->value;
  uint64_t address = pick(&damage->objects, edit->pick) & ~(PAGE - 1ull);
  if (edit->how & 1)
    for (size_t i = 0; i < PAGE; i += 8) {
      uint64_t word = next_random(&state);
      memcpy(page + i, &word, sizeof word);
    }
  put(damage, offset_of(damage, address), page, sizeof page);
}

/** Words of a dict's keys, which its fifth word points to, indices and entries
 * included. */
static uint64_t table_of(const struct damage *damage, uint64_t dict) {
  return word_at(damage, offset_of(damage, dict + 32));
}

/** A word of what the allocator keeps of OBJECT's surroundings: the header of
 * its pool of 4 or 16 KB, of its arena, or of its segment. */
static uint64_t allocator_word(uint64_t object, uint16_t word) {
  static const uint64_t sizes[] = {PAGE, 4 * PAGE, 1 << 20, SEGMENT};
  uint64_t size = sizes[word % 4];
  uint64_t words = size == SEGMENT ? SEGMENT_WORDS : POOL_WORDS;
  return (object & ~(size - 1)) + word / 4 % words * 8;
}

static void apply(struct damage *damage, const struct edit *edit) {
  uint64_t object = pick(&damage->objects, edit->pick);
  uint64_t word, offset;

  switch (edit->place % PLACE_COUNT) {
  case PLACE_LINK:
    change_word(damage, edit, object - 16 + edit->word % 2 * 8);
    return;
  case PLACE_OBJECT:
    change_word(damage, edit, object + edit->word % 10 * 8);
    return;
  case PLACE_BEHIND:
    word = word_at(damage, offset_of(damage, object + 16 + edit->word % 8 * 8));
    change_word(damage, edit, word + edit->word / 8 % 8 * 8);
    return;
  case PLACE_TYPE:
    change_word(damage, edit,
                pick(&damage->types, edit->pick) + edit->word % 130 * 8);
    return;
  case PLACE_TABLE:
    change_word(damage, edit,
                table_of(damage, pick(&damage->dicts, edit->pick)) +
                    edit->word % 16 * 8);
    return;
  case PLACE_ROOT:
    change_word(damage, edit,
                pick(&damage->roots, edit->pick) +
                    (edit->how & 16 ? edit->word : edit->word % ROOT_WORDS) *
                        8);
    return;
  case PLACE_HEADER:
    offset = 4 + (edit->pick ^ edit->word) % (HEADER_BYTES - 12);
    word = changed(damage, edit, word_at(damage, offset), edit->pick);
    put(damage, offset, &word, edit->word & 1 ? 8 : 1);
    return;
  case PLACE_ALLOCATOR:
    change_word(damage, edit, allocator_word(object, edit->word));
    return;
  case PLACE_PAGE:
    change_page(damage, edit);
    return;
  case PLACE_FILE:
    if (ftruncate(damage->fd, (off_t)(edit->value % damage->size)) < 0)
      fail("copy", "cannot be truncated");
    damage->truncated = true;
    return;
  }
}

void damage_apply(struct damage *damage, const struct edit *edits,
                  size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!damage->truncated)
      apply(damage, &edits[i]);
}

void damage_mend(struct damage *damage) {
  for (size_t i = damage->saved_count; i-- > 0;) {
    struct saved *saved = damage->saved[i];
    write_all(damage->fd, saved->bytes, saved->length, saved->offset);
    free(saved);
  }
  free(damage->saved);
  damage->saved = NULL;
  damage->saved_count = 0;
  if (damage->truncated)
    damage_restore(damage);
}

void damage_restore(struct damage *damage) {
  copy_data(damage);
  damage->truncated = false;
}
