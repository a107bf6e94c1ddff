/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * "maint info sections" says which segments a core file has, and what of them
 * was saved (gdb 10 has the file's name in a line of its own):
 *
 *     Core file: `/tmp/core.4711', file type elf64-x86-64.
 *      [0]      0x00000000->0x00004dd0 at 0x00526698: note0 READONLY HAS_CONTENTS
 *      [14]     0x00400000->0x00401000 at 0x00000698: load1a ALLOC LOAD READONLY
 *     CODE HAS_CONTENTS                         (in one line)
 *
 * "info proc mappings" says what is mapped: of a process everything, of a core
 * file the files.  Up to gdb 11, and for core files, there is no "Perms"; gdb
 * 16 and later have all numbers in 16 digits and "File" for "objfile":
 *
 *           Start Addr           End Addr       Size     Offset  Perms  objfile
 *             0x400000           0x41f000    0x1f000        0x0  r--p   /bin/python
 *
 * "info auxv" says where the program starts, and so which file is the program:
 *
 *     9    AT_ENTRY             Entry point of program         0x60a790
 *
 * and where the bytes are by which it is known again:
 *
 *     25   AT_RANDOM            Address of 16 random bytes     0x7ffd3b0c0a59
 *
 * "thread apply all info registers" says what the threads were at.  The line of a
 * thread behind gdbserver has "Thread 4711.4712" instead of the LWP:
 *
 *     Thread 2 (Thread 0x7f84ee3ff6c0 (LWP 4712) "python3"):
 *     rsp            0x7f84ee3fe5a8      0x7f84ee3fe5a8
 *
 * and fs_base, which gdb may count among the system's, by itself.
 */
#include "config.h"

#include "plugin/regions.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/gdb_text.h"

/** A line of "info proc mappings". */
struct mapping {
  uint64_t start, end, offset;
  const char *path; /**< In the text; NULL: no file. */
  const char *mode; /**< "rw-p", or NULL: gdb does not say. */
  bool special;     /**< Such as [vdso]: the kernel's own. */
};

struct mappings {
  struct mapping *items;
  size_t count;
};

/** A saved piece of a core file. */
struct section {
  uint64_t start, end;
  bool writable;
};

struct sections {
  struct section *items;
  size_t count;
};

/* The lists ----------------------------------------------------------------- */

/** Room for one more of SIZE bytes behind COUNT; NULL when memory is short. */
static void *grow(void *items, size_t count, size_t size) {
  /* Doubled whenever COUNT is a power of two. */
  if (count & (count - 1))
    return items;
  return reallocarray(items, count ? count * 2 : 1, size);
}

static bool add_mapping(struct mappings *list, const struct mapping *mapping) {
  struct mapping *items = grow(list->items, list->count, sizeof *items);

  if (!items)
    return false;
  list->items = items;
  items[list->count++] = *mapping;
  return true;
}

static bool add_section(struct sections *list, const struct section *section) {
  struct section *items = grow(list->items, list->count, sizeof *items);

  if (!items)
    return false;
  list->items = items;
  items[list->count++] = *section;
  return true;
}

static bool add_region(struct regions *list,
                       const struct pyheap_region *region) {
  struct pyheap_region *items = grow(list->items, list->count, sizeof *items);
  char *path = NULL;

  if (!items)
    return false;
  list->items = items;
  if (region->path && !(path = strdup(region->path)))
    return false;
  items[list->count] = *region;
  items[list->count++].path = path;
  return true;
}

/** The thread of that id, which is mostly the one behind *AT, becomes *AT. */
static bool take_thread(struct regions *list, pid_t id, size_t *at) {
  for (size_t i = 0; i < list->thread_count; i++) {
    *at = (*at + 1) % list->thread_count;
    if (list->threads[*at].id == id)
      return true;
  }
  struct pyheap_thread *threads =
      grow(list->threads, list->thread_count, sizeof *threads);
  if (!threads)
    return false;
  list->threads = threads;
  threads[list->thread_count] = (struct pyheap_thread){.id = id};
  *at = list->thread_count++;
  return true;
}

/* Lines --------------------------------------------------------------------- */

static bool has_word(const char *words, const char *word) {
  size_t length = strlen(word);

  for (const char *at = words; (at = strstr(at, word)); at += length)
    if ((at == words || at[-1] == ' ') && (!at[length] || at[length] == ' '))
      return true;
  return false;
}

/** " [14]  0x00400000->0x0041f000 at 0x00000698: load1 ALLOC LOAD ...". */
static bool parse_section(const char *line, struct section *ret) {
  struct section section;
  int flags = 0;

  if (sscanf(line, " [%*u] 0x%" SCNx64 "->0x%" SCNx64 " at 0x%*x: load%n",
             &section.start, &section.end, &flags) != 2 ||
      !flags || section.start >= section.end ||
      !has_word(line + flags, "HAS_CONTENTS"))
    return false;
  section.writable = !has_word(line + flags, "READONLY");
  *ret = section;
  return true;
}

/** Whether TEXT starts with four letters such as "r-xp". */
static bool is_mode(const char *text) {
  return (text[0] == 'r' || text[0] == '-') &&
         (text[1] == 'w' || text[1] == '-') &&
         (text[2] == 'x' || text[2] == '-') && text[3] &&
         strchr("ps-", text[3]) && (!text[4] || text[4] == ' ');
}

static void trim_end(char *text) {
  size_t length = strlen(text);

  while (length > 0 && isspace((unsigned char)text[length - 1]))
    text[--length] = '\0';
}

/** "0x400000  0x41f000  0x1f000  0x0  r--p  /bin/python"; LINE is cut. */
static bool parse_mapping(char *line, struct mapping *ret) {
  struct mapping mapping = {0};
  uint64_t size;
  int rest = 0;

  if (sscanf(line, " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64 "%n",
             &mapping.start, &mapping.end, &size, &mapping.offset,
             &rest) != 4 ||
      mapping.start >= mapping.end || mapping.end - mapping.start != size)
    return false;
  char *text = line + rest;
  text += strspn(text, " \t");
  if (is_mode(text)) {
    mapping.mode = text;
    text += 4;
    text += strspn(text, " \t");
  }
  trim_end(text);
  if (*text == '/')
    mapping.path = text;
  mapping.special = strncmp(text, "[v", 2) == 0;
  *ret = mapping;
  return true;
}

/** The value of the line of "info auxv" that is about NAME, " AT_ENTRY ". */
static bool parse_auxv(const char *line, const char *name, uint64_t *ret) {
  const char *mark = strstr(line, name);
  const char *value = mark ? strrchr(mark, ' ') : NULL;

  return value && sscanf(value, " 0x%" SCNx64, ret) == 1;
}

/** "Thread 2 (Thread 0x7f84ee3ff6c0 (LWP 4712)):", "Thread 1 (process 4711):" */
static bool parse_thread(const char *line, pid_t *ret) {
  static const char *const forms[] = {"(LWP %d", "(Thread %*d.%d",
                                      "(process %d"};

  if (strncmp(line, "Thread ", strlen("Thread ")) != 0)
    return false;
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    for (const char *at = line; (at = strchr(at, '(')); at++)
      if (sscanf(at, forms[i], ret) == 1)
        return true;
  return false;
}

/** "rsp            0x7f84ee3fe5a8      0x7f84ee3fe5a8" */
static void take_register(struct pyheap_thread *thread, const char *line) {
#define REGISTER(name)                                                         \
  { #name, offsetof(struct user_regs_struct, name) }
  static const struct {
    const char *name;
    size_t offset;
  } rows[] = {
      REGISTER(rax),     REGISTER(rbx), REGISTER(rcx), REGISTER(rdx),
      REGISTER(rsi),     REGISTER(rdi), REGISTER(rbp), REGISTER(rsp),
      REGISTER(r8),      REGISTER(r9),  REGISTER(r10), REGISTER(r11),
      REGISTER(r12),     REGISTER(r13), REGISTER(r14), REGISTER(r15),
      REGISTER(fs_base),
  };
#undef REGISTER
  char name[16];
  unsigned long long value;

  if (sscanf(line, "%15s 0x%llx", name, &value) != 2)
    return;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].name, name) == 0)
      memcpy((char *)&thread->registers + rows[i].offset, &value, sizeof value);
}

static bool take_text(char *text, struct sections *sections,
                      struct mappings *mappings, struct regions *regions) {
  struct mapping mapping;
  struct section section;
  bool complete = true, in_core = false;
  size_t thread = 0;
  pid_t id;
  char *rest = text, *line;

  while (complete && (line = strsep(&rest, "\n"))) {
    if (parse_thread(line, &id))
      complete = take_thread(regions, id, &thread);
    else if (isupper((unsigned char)*line))
      in_core = strncmp(line, "Core file:", strlen("Core file:")) == 0;
    else if (in_core && parse_section(line, &section))
      complete = add_section(sections, &section);
    else if (parse_mapping(line, &mapping))
      complete = add_mapping(mappings, &mapping);
    else if (!parse_auxv(line, " AT_ENTRY ", &regions->entry) &&
             !parse_auxv(line, " AT_RANDOM ", &regions->random) &&
             regions->thread_count)
      take_register(&regions->threads[thread], line);
  }
  return complete;
}

/* What to read -------------------------------------------------------------- */

static bool same_path(const struct mapping *a, const struct mapping *b) {
  return a->path && b->path && strcmp(a->path, b->path) == 0;
}

/** Whether it may have been written to.  Where gdb does not say, it is taken
 * so, but the first mapping of a file, which has its headers. */
static bool is_writable(const struct mapping *mapping) {
  if (mapping->mode)
    return mapping->mode[1] == 'w';
  return !mapping->path || mapping->offset > 0;
}

/** A program or library is mapped in pieces, one of them for its variables;
 * other files are nothing that a heap consists of. */
static bool is_program(const struct mappings *mappings, size_t index) {
  const struct mapping *mapping = &mappings->items[index];

  return (index > 0 && same_path(mapping, mapping - 1)) ||
         (index + 1 < mappings->count && same_path(mapping, mapping + 1));
}

static bool is_wanted(const struct mappings *mappings, size_t index) {
  const struct mapping *mapping = &mappings->items[index];

  if (mapping->special || (mapping->mode && mapping->mode[0] != 'r'))
    return false;
  return is_writable(mapping) || is_program(mappings, index);
}

static bool add_live(struct regions *regions, const struct mappings *mappings) {
  for (size_t i = 0; i < mappings->count; i++) {
    const struct mapping *mapping = &mappings->items[i];
    bool writable = is_writable(mapping);
    struct pyheap_region region = {
        .start = mapping->start,
        .end = mapping->end,
        .offset = mapping->offset,
        .path = mapping->path,
        .writable = writable,
        .source = mapping->path && !writable ? PYHEAP_REGION_FILE_FIRST
                                             : PYHEAP_REGION_READER,
    };

    if (is_wanted(mappings, i) && !add_region(regions, &region))
      return false;
  }
  return true;
}

/** Adds START .. END, which is inside MAPPING (NULL: in none). */
static bool add_piece(struct regions *regions, const struct mapping *mapping,
                      const struct section *section, uint64_t start,
                      uint64_t end) {
  struct pyheap_region region = {
      .start = start,
      .end = end,
      .writable = section && section->writable,
      .source = section ? PYHEAP_REGION_READER : PYHEAP_REGION_FILE,
  };

  if (start >= end)
    return true;
  if (mapping) {
    region.path = mapping->path;
    region.offset = mapping->offset + (start - mapping->start);
  }
  return add_region(regions, &region);
}

static uint64_t at_most(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/** Goes through both lists at once, from address to address where something
 * begins or ends. */
static bool add_core(struct regions *regions, const struct sections *sections,
                     const struct mappings *mappings) {
  uint64_t at = 0;
  size_t s = 0, m = 0;

  if (!sections->count)
    return true;
  while (s < sections->count || m < mappings->count) {
    const struct section *section =
        s < sections->count ? &sections->items[s] : NULL;
    const struct mapping *mapping =
        m < mappings->count ? &mappings->items[m] : NULL;

    if (section && section->end <= at) {
      s++;
      continue;
    }
    if (mapping && mapping->end <= at) {
      m++;
      continue;
    }
    bool in_section = section && section->start <= at;
    bool in_mapping = mapping && mapping->start <= at;
    uint64_t next = UINT64_MAX;
    if (section)
      next = at_most(next, in_section ? section->end : section->start);
    if (mapping)
      next = at_most(next, in_mapping ? mapping->end : mapping->start);
    if ((in_section || in_mapping) &&
        !add_piece(regions, in_mapping ? mapping : NULL,
                   in_section ? section : NULL, at, next))
      return false;
    at = next;
  }
  return true;
}

/* Interface ----------------------------------------------------------------- */

static int compare_mappings(const void *a, const void *b) {
  uint64_t left = ((const struct mapping *)a)->start;
  uint64_t right = ((const struct mapping *)b)->start;

  return (left > right) - (left < right);
}

static int compare_sections(const void *a, const void *b) {
  uint64_t left = ((const struct section *)a)->start;
  uint64_t right = ((const struct section *)b)->start;

  return (left > right) - (left < right);
}

static bool take_regions(struct regions *regions, char *text, bool core) {
  struct sections sections = {0};
  struct mappings mappings = {0};
  bool complete = take_text(text, &sections, &mappings, regions);

  if (mappings.count)
    qsort(mappings.items, mappings.count, sizeof *mappings.items,
          compare_mappings);
  if (sections.count)
    qsort(sections.items, sections.count, sizeof *sections.items,
          compare_sections);
  complete = complete && (core ? add_core(regions, &sections, &mappings)
                               : add_live(regions, &mappings));
  free(sections.items);
  free(mappings.items);
  return complete;
}

void regions_init(struct regions *regions, int fd, bool core) {
  char *text = gdb_text(fd);

  *regions = (struct regions){0};
  if (text && !take_regions(regions, text, core))
    regions_deinit(regions);
  free(text);
}

void regions_deinit(struct regions *regions) {
  for (size_t i = 0; i < regions->count; i++)
    free((char *)regions->items[i].path);
  free(regions->items);
  free(regions->threads);
  *regions = (struct regions){0};
}
