/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of mapped program files that a core does not hold: code, constants
 * and symbol tables, taken from the files themselves when they are the same. */
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "memory.h"

/** An ELF file mapped here, or the target's copy of one. */
struct image {
  const uint8_t *bytes;
  uint64_t size;
};

static const Elf64_Phdr *image_segments(const struct image *image,
                                        size_t *count) {
  if (image->size < sizeof(Elf64_Ehdr))
    return NULL;
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)image->bytes;
  if ((uintptr_t)header % _Alignof(Elf64_Ehdr) ||
      memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_phentsize != sizeof(Elf64_Phdr) ||
      header->e_phoff % _Alignof(Elf64_Phdr) || header->e_phoff > image->size ||
      header->e_phnum > (image->size - header->e_phoff) / sizeof(Elf64_Phdr))
    return NULL;
  *count = header->e_phnum;
  return (const Elf64_Phdr *)(image->bytes + header->e_phoff);
}

/** The build-id note of IMAGE, NULL when it has none within its bytes. */
static const uint8_t *image_build_id(const struct image *image, size_t *size) {
  size_t count = 0;
  const Elf64_Phdr *segments = image_segments(image, &count);

  for (size_t i = 0; i < count; i++) {
    uint64_t at = segments[i].p_offset, end;
    if (segments[i].p_type != PT_NOTE ||
        __builtin_add_overflow(at, segments[i].p_filesz, &end) ||
        end > image->size)
      continue;
    while (at + sizeof(Elf64_Nhdr) <= end) {
      Elf64_Nhdr note;
      memcpy(&note, image->bytes + at, sizeof note);
      uint64_t name = at + sizeof note;
      uint64_t data = name + ((note.n_namesz + 3ull) & ~3ull);
      if (data > end || note.n_descsz > end - data)
        break;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
          memcmp(image->bytes + name, "GNU", 4) == 0) {
        *size = note.n_descsz;
        return image->bytes + data;
      }
      at = data + ((note.n_descsz + 3ull) & ~3ull);
    }
  }
  return NULL;
}

/** The saved first bytes of the file mapped at START. */
static struct image saved_image(const struct memory *memory, uint64_t start) {
  for (size_t i = 0; i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    if (range->bytes && !(range->flags & MEMORY_FROM_FILE) &&
        start >= range->start && start < range->end)
      return (struct image){range->bytes + (start - range->start),
                            range->end - start};
  }
  return (struct image){0};
}

static struct pyheap_error *map_file(struct memory *memory, const char *path,
                                     struct image *image) {
  struct stat status;
  *image = (struct image){0};
  /* The path is the core's word: nobody is to wait for the writer of a FIFO. */
  cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 || fstat(fd, &status) < 0)
    return error_os(errno, path);
  if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(Elf64_Ehdr))
    return NULL;
  void *bytes =
      mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED)
    return error_os(errno, path);
  *image = (struct image){bytes, (uint64_t)status.st_size};
  return memory_own_mapping(memory, bytes, (size_t)status.st_size);
}

/** What is added to link-time addresses of an ELF file whose first byte is
 * mapped at START. */
static uint64_t image_bias(const struct image *image, uint64_t start) {
  size_t count = 0;
  const Elf64_Phdr *segments = image_segments(image, &count);
  for (size_t i = 0; i < count; i++)
    if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
      return start - segments[i].p_vaddr;
  return start;
}

/** Whether ADDRESS is in a segment with one of the permissions FLAGS.  By
 * address, as two segments may share a page of the file. */
static bool is_mapped_with(const struct image *image, uint64_t bias,
                           uint64_t address, uint32_t flags) {
  size_t count = 0;
  const Elf64_Phdr *segments = image_segments(image, &count);
  for (size_t i = 0; i < count; i++) {
    uint64_t start = bias + (segments[i].p_vaddr & ~4095ull);
    if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & flags) &&
        address >= start &&
        address < bias + segments[i].p_vaddr + segments[i].p_memsz)
      return true;
  }
  return false;
}

/** Whether A and B are mappings of one file. */
static bool same_file(const struct memory_file *a,
                      const struct memory_file *b) {
  return strcmp(a->path, b->path) == 0;
}

static const char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/** Where the file of mapping FIRST may be on this machine; free() it.  NULL when
 * there is no memory for it. */
static char *local_path(const struct memory *memory,
                        const struct pyheap_target *target, size_t first,
                        size_t end, bool is_program) {
  const char *path = memory->files[first].path;
  char *below;

  if (is_program && target->exe)
    return strdup(target->exe);
  for (size_t i = 0; i < target->file_count; i++) {
    const struct pyheap_file *file = &target->files[i];
    if (file->text_start >= memory->files[first].start &&
        file->text_start < memory->files[end - 1].end &&
        strcmp(last_part(file->path), last_part(path)) == 0)
      return strdup(file->path);
  }
  if (!target->sysroot)
    return strdup(path);
  return asprintf(&below, "%s%s", target->sysroot, path) < 0 ? NULL : below;
}

static struct pyheap_error *add_contents(struct memory *memory,
                                         const struct memory_file *file,
                                         const struct image *image,
                                         uint64_t bias) {
  /* What the program may write may have changed: the file says nothing about
   * it. */
  if (file->offset >= image->size ||
      is_mapped_with(image, bias, file->start, PF_W))
    return NULL;
  uint64_t length = file->end - file->start;
  if (length > image->size - file->offset)
    length = image->size - file->offset;
  uint32_t flags = MEMORY_FILE | MEMORY_FROM_FILE;
  /* The code of a frame that the interpreter makes itself is a constant: in a
   * program with fixed addresses, .rodata (_Py_InitCleanup). */
  flags |= is_mapped_with(image, bias, file->start, PF_X) ? MEMORY_EXECUTABLE
                                                          : MEMORY_OBJECTS;
  return memory_add(memory, file->start, file->start + length,
                    image->bytes + file->offset, flags);
}

enum verdict {
  VERDICT_SAME,
  VERDICT_OTHER,
  VERDICT_UNKNOWN
};

static enum verdict compare_images(const struct image *saved,
                                   const struct image *local) {
  size_t saved_size = 0, local_size = 0;
  const uint8_t *saved_id = image_build_id(saved, &saved_size);
  const uint8_t *local_id = image_build_id(local, &local_size);
  if (!saved_id)
    return VERDICT_UNKNOWN;
  if (!local_id || saved_size != local_size ||
      memcmp(saved_id, local_id, saved_size) != 0)
    return VERDICT_OTHER;
  return VERDICT_SAME;
}

static struct pyheap_error *other_program(const char *path) {
  return error_create(PYHEAP_ERROR_MISMATCH, 0,
                      "%s is not the program that was running: their "
                      "build-ids differ; give the right one, or none, for the "
                      "core names it",
                      path);
}

/** Takes in the file that is mapped by files FIRST .. END-1. */
static struct pyheap_error *fill_from_file(struct memory *memory,
                                           const struct pyheap_target *target,
                                           size_t first, size_t end) {
  bool is_program = false;
  for (size_t i = first; i < end; i++)
    if (memory->entry >= memory->files[i].start &&
        memory->entry < memory->files[i].end)
      is_program = true;
  cleanup_free char *path = local_path(memory, target, first, end, is_program);
  if (!path)
    return &error_no_memory;
  struct image local;
  struct pyheap_error *error = map_file(memory, path, &local);
  if (error && error->code == PYHEAP_ERROR_OS) {
    struct pyheap_error *note = NULL;
    if (is_program || strstr(last_part(path), "libpython"))
      note = memory_note(memory, "cannot read %s", error->message);
    pyheap_error_destroy(error);
    return note;
  }
  TRY(error);
  size_t count = 0;
  if (!image_segments(&local, &count))
    return is_program && target->exe ? other_program(path) : NULL;
  struct image saved = {0};
  if (memory->files[first].offset == 0)
    saved = saved_image(memory, memory->files[first].start);
  enum verdict verdict = compare_images(&saved, &local);
  if (verdict == VERDICT_OTHER) {
    if (is_program && target->exe)
      return other_program(path);
    for (size_t i = first; i < end; i++)
      memory->files[i].mismatch = true;
    return memory_note(memory,
                       "%s on this machine is another build than the one that "
                       "was running (build-ids differ) and was not used",
                       path);
  }
  uint64_t bias = image_bias(&local, memory->files[first].start);
  for (size_t i = first; i < end; i++) {
    memory->files[i].checked = verdict == VERDICT_SAME;
    memory->files[i].local = strdup(path);
    if (!memory->files[i].local)
      return &error_no_memory;
    TRY(add_contents(memory, &memory->files[i], &local, bias));
  }
  if (is_program && !memory->exe) {
    memory->exe = strdup(path);
    if (!memory->exe)
      return &error_no_memory;
  }
  return NULL;
}

/** Where a program is that is not linked to fixed addresses, the address where
 * it starts tells.  False when unknown. */
static bool find_bias(const struct memory *memory, const struct image *image,
                      uint64_t *bias) {
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)image->bytes;

  *bias = 0;
  if (header->e_type == ET_EXEC)
    return true;
  if (memory->entry) {
    *bias = memory->entry - header->e_entry;
    return true;
  }
  return false;
}

struct pyheap_error *memory_list_program(struct memory *memory,
                                         const char *path) {
  struct image image;
  size_t count = 0;
  uint64_t bias, end;

  TRY(map_file(memory, path, &image));
  const Elf64_Phdr *segments = image_segments(&image, &count);
  if (!segments || !find_bias(memory, &image, &bias))
    return NULL;
  for (size_t i = 0; i < count; i++) {
    uint64_t start = segments[i].p_vaddr & ~4095ull;
    if (segments[i].p_type == PT_LOAD &&
        !__builtin_add_overflow(segments[i].p_vaddr, segments[i].p_filesz,
                                &end))
      TRY(memory_add_file(memory, bias + start,
                          bias + ((end + 4095) & ~4095ull),
                          segments[i].p_offset & ~4095ull, path));
  }
  if (!memory->entry)
    memory->entry = bias + ((const Elf64_Ehdr *)image.bytes)->e_entry;
  return memory_note(memory, "the core does not say which files were mapped; "
                             "only the program itself was used");
}

struct pyheap_error *
memory_fill_from_files(struct memory *memory,
                       const struct pyheap_target *target) {
  size_t unchecked = 0;
  for (size_t first = 0, end; first < memory->file_count; first = end) {
    for (end = first + 1; end < memory->file_count; end++)
      if (!same_file(&memory->files[first], &memory->files[end]))
        break;
    TRY(fill_from_file(memory, target, first, end));
    if (memory->files[first].local && !memory->files[first].checked)
      unchecked++;
  }
  if (unchecked)
    TRY(memory_note(memory,
                    "%zu mapped file%s used without a check: the core does not "
                    "hold the build-id",
                    unchecked, unchecked == 1 ? " was" : "s were"));
  return NULL;
}

static struct pyheap_error *add_static(struct memory *memory, size_t file,
                                       uint64_t start, uint64_t end) {
  struct memory_static *grown =
      reallocarray(memory->statics, memory->static_count + 1, sizeof *grown);
  if (!grown)
    return &error_no_memory;
  memory->statics = grown;
  grown[memory->static_count++] = (struct memory_static){start, end, file};
  return NULL;
}

/** Adds what can be read of START .. END-1: a damaged header may claim any
 * amount of memory. */
static struct pyheap_error *add_readable(struct memory *memory, size_t file,
                                         uint64_t start, uint64_t end) {
  for (size_t i = memory_find_range(memory, start);
       i < memory->range_count && memory->ranges[i].start < end; i++) {
    const struct memory_range *range = &memory->ranges[i];
    uint64_t low = range->start > start ? range->start : start;
    uint64_t high = range->end < end ? range->end : end;
    if (range->bytes)
      TRY(add_static(memory, file, (low + 7) & ~7ull, high));
  }
  return NULL;
}

static int compare_statics(const void *a, const void *b) {
  const struct memory_static *left = a, *right = b;
  if (left->start != right->start)
    return left->start < right->start ? -1 : 1;
  return left->file < right->file ? -1 : left->file > right->file;
}

/** Sorts them, and gives each byte to the first of those that claim it. */
static void make_statics_disjoint(struct memory *memory) {
  struct memory_static *statics = memory->statics;
  uint64_t end = 0;
  size_t count = 0;

  if (memory->static_count)
    qsort(statics, memory->static_count, sizeof *statics, compare_statics);
  for (size_t i = 0; i < memory->static_count; i++) {
    struct memory_static area = statics[i];
    if (area.start < end)
      area.start = (end + 7) & ~7ull;
    if (area.start >= area.end)
      continue;
    end = area.end;
    statics[count++] = area;
  }
  memory->static_count = count;
}

/** Where a file's headers were not saved: its mappings that can be written, and
 * what lies right behind them, which is its .bss. */
static struct pyheap_error *add_mapping(struct memory *memory, size_t file) {
  enum {
    MOST_BSS = 64 << 20
  };
  const struct memory_file *mapping = &memory->files[file];
  uint64_t end = mapping->end;

  for (size_t i = memory_find_range(memory, mapping->start);
       i < memory->range_count && memory->ranges[i].start < end; i++)
    if (!(memory->ranges[i].flags & MEMORY_WRITABLE))
      return NULL;
  size_t next = memory_find_range(memory, end);
  if (next < memory->range_count && memory->ranges[next].start == end &&
      memory->ranges[next].flags & MEMORY_WRITABLE &&
      !memory_file_at(memory, end) && memory->ranges[next].end - end < MOST_BSS)
    end = memory->ranges[next].end;
  return add_readable(memory, file, mapping->start, end);
}

struct pyheap_error *memory_find_statics(struct memory *memory) {
  bool has_headers = true;
  for (size_t i = 0; i < memory->file_count; i++) {
    uint64_t start = memory->files[i].start;
    struct image image = {0};
    size_t count = 0;

    if (memory->files[i].offset != 0) {
      if (!has_headers)
        TRY(add_mapping(memory, i));
      continue;
    }
    image.bytes = memory_available(memory, start, &image.size);
    const Elf64_Phdr *segments =
        image.bytes ? image_segments(&image, &count) : NULL;
    has_headers = segments;
    uint64_t bias = image_bias(&image, start), end;
    for (size_t j = 0; j < count; j++) {
      uint64_t address = bias + segments[j].p_vaddr;
      if (segments[j].p_type == PT_LOAD && (segments[j].p_flags & PF_W) &&
          !__builtin_add_overflow(address, segments[j].p_memsz, &end))
        TRY(add_readable(memory, i, address, end));
    }
  }
  make_statics_disjoint(memory);
  return NULL;
}

const uint8_t *memory_build_id(const struct memory *memory, uint64_t address,
                               size_t *size) {
  const struct memory_file *file = NULL, *first = NULL;

  for (size_t i = 0; i < memory->file_count; i++)
    if (memory->files[i].start <= address &&
        (!file || memory->files[i].start > file->start))
      file = &memory->files[i];
  for (size_t i = 0; file && i < memory->file_count; i++)
    if (memory->files[i].offset == 0 && memory->files[i].start <= address &&
        strcmp(memory->files[i].path, file->path) == 0 &&
        (!first || memory->files[i].start > first->start))
      first = &memory->files[i];
  struct image image = {0};
  if (first)
    image.bytes = memory_available(memory, first->start, &image.size);
  return image.bytes ? image_build_id(&image, size) : NULL;
}
