/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A core file, mapped and read in place.  Written against the ELF gABI and
 * Linux's fs/binfmt_elf.c (NT_FILE), not through BFD: BFD answers reads of
 * unsaved memory with zeros and refuses truncated files whole. */
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <unistd.h>

#include "checksum.h"
#include "compressed.h"
#include "error.h"
#include "memory.h"
#include "snapshot_format.h"

struct core {
  const uint8_t *bytes;
  uint64_t size;
  const char *path;
};

/** COUNT * SIZE bytes of the file at OFFSET, or NULL when not all are there. */
static const void *core_at(const struct core *core, uint64_t offset,
                           uint64_t count, uint64_t size) {
  uint64_t length;
  if (__builtin_mul_overflow(count, size, &length) || offset > core->size ||
      length > core->size - offset)
    return NULL;
  return core->bytes + offset;
}

static struct pyheap_error *core_map(struct memory *memory, const char *path,
                                     struct core *core) {
  cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0)
    return error_os(errno, path);
  if (!S_ISREG(status.st_mode))
    return error_create(
        PYHEAP_ERROR_NOT_CORE, 0, "%s is not a core file but %s", path,
        S_ISDIR(status.st_mode) ? "a directory; name the file in it"
                                : "a device, pipe or socket");
  if (!status.st_size)
    return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                        "%s is empty: nothing was written to it", path);
  if (status.st_size < (off_t)sizeof(Elf64_Ehdr))
    return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                        "%s is not a core file (%lld bytes)", path,
                        (long long)status.st_size);
  void *bytes =
      mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED)
    return error_os(errno, path);
  TRY(memory_own_mapping(memory, bytes, (size_t)status.st_size));
  *core = (struct core){bytes, (uint64_t)status.st_size, path};
  memory->identity =
      checksum_mix((uint64_t)status.st_size, (uint64_t)status.st_mtim.tv_sec);
  memory->identity =
      checksum_mix(memory->identity, (uint64_t)status.st_mtim.tv_nsec);
  return NULL;
}

/** An error that says what a file is which does not begin as an ELF file. */
static struct pyheap_error *explain_start(const struct core *core) {
  const char *program = compressed_with(core->bytes, core->size);

  if (program)
    return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                        "%s is compressed with %s; unpack it first", core->path,
                        program);
  if (core->size >= SNAPSHOT_MAGIC_BYTES &&
      memcmp(core->bytes, SNAPSHOT_MAGIC, SNAPSHOT_MAGIC_BYTES) == 0)
    return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                        "%s is not a core file but a snapshot of muppy; "
                        "compare it with muppy diff",
                        core->path);
  return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                      "%s is not a core file (no ELF header)", core->path);
}

static struct pyheap_error *check_header(const struct core *core,
                                         const Elf64_Ehdr *header) {
  if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return explain_start(core);
  if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64)
    return error_create(PYHEAP_ERROR_FOREIGN, 0,
                        "%s is of another architecture (ELF machine %u, "
                        "class %u); only x86-64 is supported",
                        core->path, header->e_machine,
                        header->e_ident[EI_CLASS]);
  if (header->e_type != ET_CORE)
    return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                        "%s is not a core file but %s", core->path,
                        header->e_type == ET_EXEC || header->e_type == ET_DYN
                            ? "a program or library"
                            : "another kind of ELF file");
  if (header->e_phentsize != sizeof(Elf64_Phdr))
    return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                        "%s: program headers of %u bytes instead of %zu",
                        core->path, header->e_phentsize, sizeof(Elf64_Phdr));
  return NULL;
}

/** The program headers; their number is in the first section header where it
 * does not fit (PN_XNUM). */
static struct pyheap_error *program_headers(const struct core *core,
                                            const Elf64_Ehdr *header,
                                            const Elf64_Phdr **ret,
                                            size_t *ret_count) {
  uint64_t count = header->e_phnum;
  if (count == PN_XNUM) {
    Elf64_Shdr section;
    const void *at = core_at(core, header->e_shoff, 1, sizeof section);
    if (!at)
      return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                          "%s is truncated: the section header that holds its "
                          "number of segments is missing",
                          core->path);
    memcpy(&section, at, sizeof section);
    count = section.sh_info;
  }
  if (!count)
    return error_create(PYHEAP_ERROR_NOT_CORE, 0, "%s has no program headers",
                        core->path);
  const Elf64_Phdr *headers =
      core_at(core, header->e_phoff, count, sizeof *headers);
  if (!headers || header->e_phoff % _Alignof(Elf64_Phdr))
    return error_create(PYHEAP_ERROR_NOT_CORE, 0,
                        "%s is truncated: its %llu program headers are not all "
                        "there",
                        core->path, (unsigned long long)count);
  *ret = headers;
  *ret_count = count;
  return NULL;
}

/* Notes ------------------------------------------------------------------- */

static struct pyheap_error *add_thread(struct memory *memory, pid_t thread) {
  pid_t *threads =
      reallocarray(memory->threads, memory->thread_count + 1, sizeof *threads);
  if (!threads)
    return &error_no_memory;
  memory->threads = threads;
  threads[memory->thread_count++] = thread;
  return NULL;
}

/** NT_FILE: count and page size, COUNT times start, end and page offset, COUNT
 * file names. */
static struct pyheap_error *read_file_note(struct memory *memory,
                                           const uint8_t *note, size_t size) {
  uint64_t head[2];
  if (size < sizeof head)
    return NULL;
  memcpy(head, note, sizeof head);
  if (head[0] > (size - sizeof head) / 25 || head[0] > MEMORY_MAX_RANGES)
    return memory_note(memory, "the core's list of mapped files (NT_FILE) is "
                               "damaged and was left out");
  const uint8_t *entry = note + sizeof head;
  const char *name = (const char *)(entry + 24 * head[0]);
  const char *end = (const char *)note + size;
  for (uint64_t i = 0; i < head[0]; i++, entry += 24) {
    uint64_t range[3];
    memcpy(range, entry, sizeof range);
    size_t length = strnlen(name, (size_t)(end - name));
    if (name + length >= end)
      return memory_note(memory, "the core's list of mapped files (NT_FILE) "
                                 "ends early");
    if (range[0] < range[1])
      TRY(memory_add_file(memory, range[0], range[1], range[2] * head[1],
                          name));
    name += length + 1;
  }
  return NULL;
}

static void read_auxv(struct memory *memory, const uint8_t *note, size_t size) {
  for (size_t at = 0; at + 16 <= size; at += 16) {
    uint64_t pair[2];
    memcpy(pair, note + at, sizeof pair);
    if (pair[0] == AT_ENTRY)
      memory->entry = pair[1];
    else if (pair[0] == AT_RANDOM)
      memory->random = pair[1];
  }
}

static struct pyheap_error *read_note(struct memory *memory, uint32_t type,
                                      const uint8_t *note, size_t size) {
  switch (type) {
  case NT_PRSTATUS:
    if (size >= sizeof(struct elf_prstatus)) {
      struct elf_prstatus status;
      memcpy(&status, note, sizeof status);
      struct user_regs_struct registers;
      _Static_assert(sizeof registers == sizeof status.pr_reg,
                     "both are the kernel's");
      memcpy(&registers, status.pr_reg, sizeof registers);
      TRY(memory_add_stack(memory, status.pr_pid, &registers));
      return add_thread(memory, status.pr_pid);
    }
    return NULL;
  case NT_PRPSINFO:
    if (size >= sizeof(struct elf_prpsinfo)) {
      struct elf_prpsinfo info;
      memcpy(&info, note, sizeof info);
      memory->pid = info.pr_pid;
    }
    return NULL;
  case NT_AUXV:
    read_auxv(memory, note, size);
    return NULL;
  case NT_FILE:
    return read_file_note(memory, note, size);
  }
  return NULL;
}

static uint64_t align4(uint64_t value) {
  return (value + 3) & ~(uint64_t)3;
}

static struct pyheap_error *read_notes(struct memory *memory,
                                       const struct core *core,
                                       const Elf64_Phdr *segment) {
  uint64_t size = segment->p_filesz;
  const uint8_t *notes = core_at(core, segment->p_offset, size, 1);
  if (!notes) {
    TRY(memory_note(memory, "the core is truncated: its notes (threads, "
                            "mapped files) are missing or cut"));
    if (segment->p_offset >= core->size)
      return NULL;
    notes = core->bytes + segment->p_offset;
    size = core->size - segment->p_offset;
  }
  memory->identity = checksum_mix(memory->identity, checksum(notes, size));
  for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
    Elf64_Nhdr header;
    memcpy(&header, notes + at, sizeof header);
    uint64_t data = at + sizeof header + align4(header.n_namesz);
    if (data > size || header.n_descsz > size - data)
      return memory_note(memory,
                         "the core's notes are damaged behind byte "
                         "%llu and were left out",
                         (unsigned long long)(segment->p_offset + at));
    const char *name = (const char *)notes + at + sizeof header;
    if (header.n_namesz >= 4 && memcmp(name, "CORE", 4) == 0)
      TRY(read_note(memory, header.n_type, notes + data, header.n_descsz));
    at = data + align4(header.n_descsz);
  }
  return NULL;
}

/* Segments ---------------------------------------------------------------- */

static uint32_t segment_flags(const struct memory *memory,
                              const Elf64_Phdr *segment) {
  uint32_t flags = 0;
  if (segment->p_flags & PF_W)
    flags |= MEMORY_WRITABLE;
  if (segment->p_flags & PF_X)
    flags |= MEMORY_EXECUTABLE;
  else
    flags |= MEMORY_OBJECTS;
  if (memory_file_at(memory, segment->p_vaddr))
    flags |= MEMORY_FILE;
  return flags;
}

/** Adds one PT_LOAD: what the file holds of it, and the rest as missing.  LEFT
 * counts the bytes of the file that no segment has had, CUT those that are
 * missing. */
static struct pyheap_error *add_segment(struct memory *memory,
                                        const struct core *core,
                                        const Elf64_Phdr *segment,
                                        uint64_t *left, uint64_t *cut) {
  uint64_t start = segment->p_vaddr, end, saved = segment->p_filesz;
  /* Reserved address space, which nobody could read, and [vsyscall], the one
   * mapping of the kernel's half. */
  if ((!segment->p_flags && !saved) || start >> 63)
    return NULL;
  if (__builtin_add_overflow(start, segment->p_memsz, &end) || end >> 47)
    return memory_note(memory,
                       "the core's segment at 0x%llx has an impossible size "
                       "and was left out",
                       (unsigned long long)start);
  if (saved > segment->p_memsz)
    saved = segment->p_memsz;
  uint64_t present =
      segment->p_offset < core->size ? core->size - segment->p_offset : 0;
  if (present > saved)
    present = saved;
  /* Each byte of the file stands for one of the target. */
  if (present > *left)
    return memory_note(memory,
                       "the core's segment at 0x%llx lies over others and was "
                       "left out",
                       (unsigned long long)start);
  *left -= present;
  *cut += saved - present;
  uint32_t flags = segment_flags(memory, segment);
  if (present)
    TRY(memory_add(memory, start, start + present,
                   core->bytes + segment->p_offset, flags));
  return memory_add(memory, start + present, end, NULL, flags);
}

struct pyheap_error *memory_open_core(struct memory *memory,
                                      const struct pyheap_target *target) {
  struct core core;
  const Elf64_Phdr *segments;
  size_t count;
  uint64_t cut = 0, left;

  TRY(core_map(memory, target->core, &core));
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)core.bytes;
  left = core.size;
  TRY(check_header(&core, header));
  TRY(program_headers(&core, header, &segments, &count));
  memory->identity = checksum_mix(memory->identity,
                                  checksum(segments, count * sizeof *segments));
  for (size_t i = 0; i < count; i++)
    if (segments[i].p_type == PT_NOTE)
      TRY(read_notes(memory, &core, &segments[i]));
  if (!memory->file_count && target->exe)
    TRY(memory_list_program(memory, target->exe));
  for (size_t i = 0; i < count; i++)
    if (segments[i].p_type == PT_LOAD)
      TRY(add_segment(memory, &core, &segments[i], &left, &cut));
  memory->truncated = cut > 0;
  if (cut)
    TRY(memory_note(memory,
                    "the core file is truncated: %llu bytes of memory are "
                    "missing; answers leave out what was there",
                    (unsigned long long)cut));
  memory->damage_count = memory->note_count;
  TRY(memory_fill_from_files(memory, target));
  return memory_finish(memory);
}
