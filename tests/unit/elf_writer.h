/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Writes ELF core files, right and wrong ones, for tests.
 *
 * Zero-initialise a struct elf_core, set what matters, elf_core_write() it.
 * Every field that is 0 means what a kernel would write.
 */
#ifndef MUPPY_TESTS_ELF_WRITER_H
#define MUPPY_TESTS_ELF_WRITER_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One PT_LOAD. */
struct elf_segment {
  uint64_t address;
  const void *data; /**< FILESZ bytes, or NULL: they count up from 1. */
  uint64_t filesz;
  uint64_t memsz;  /**< 0: as filesz. */
  uint32_t flags;  /**< PF_…; 0: readable and writable. */
  uint64_t offset; /**< 0: where the writer put the data. */
};

/** One line of NT_FILE. */
struct elf_mapping {
  uint64_t start, end;
  uint64_t page_offset;
  const char *path;
};

struct elf_core {
  const struct elf_segment *segments;
  size_t segment_count;
  const struct elf_mapping *mappings;
  size_t mapping_count;
  uint64_t mapping_claim; /**< Count that NT_FILE claims; 0: the true one. */
  uint64_t entry;         /**< AT_ENTRY; 0: no NT_AUXV. */
  uint32_t pid;           /**< 0: no NT_PRSTATUS and NT_PRPSINFO. */
  bool notes_last;        /**< Behind the segments, as gcore writes them. */
  bool extended_count;    /**< The count of headers in section 0 (PN_XNUM). */

  /* What makes it wrong. */
  uint8_t class;    /**< ELFCLASS… */
  uint8_t encoding; /**< ELFDATA… */
  uint16_t type;    /**< ET_… */
  uint16_t machine; /**< EM_… */
  uint16_t phentsize;
  bool no_headers; /**< e_phnum 0. */
};

/** The bytes of the file; free() them.  Never NULL: it aborts instead. */
uint8_t *elf_core_write(const struct elf_core *core, size_t *size);

/** Writes a file and returns its path, which file_remove() removes and frees. */
char *file_write(const void *bytes, size_t size);
void file_remove(char *path);

#endif
