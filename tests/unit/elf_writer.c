/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "tests/unit/elf_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

/** Bytes that grow at their end. */
struct buffer {
  uint8_t *bytes;
  size_t size;
};

static void fail(const char *what) {
  perror(what);
  abort();
}

/** Appends SIZE bytes, zeros when DATA is NULL. */
static void append(struct buffer *buffer, const void *data, size_t size) {
  buffer->bytes = realloc(buffer->bytes, buffer->size + size + 1);
  if (!buffer->bytes)
    fail("realloc");
  if (data)
    memcpy(buffer->bytes + buffer->size, data, size);
  else
    memset(buffer->bytes + buffer->size, 0, size);
  buffer->size += size;
}

static void append_u64(struct buffer *buffer, uint64_t value) {
  append(buffer, &value, sizeof value);
}

static void append_note(struct buffer *notes, uint32_t type,
                        const struct buffer *description) {
  Elf64_Nhdr header = {.n_namesz = sizeof "CORE",
                       .n_descsz = (uint32_t)description->size,
                       .n_type = type};
  append(notes, &header, sizeof header);
  append(notes, "CORE\0\0\0", 8);
  append(notes, description->bytes, description->size);
  append(notes, NULL, -description->size & 3);
}

static void append_process(struct buffer *notes, uint32_t pid) {
  struct elf_prstatus status = {.pr_pid = (pid_t)pid};
  append_note(notes, NT_PRSTATUS,
              &(struct buffer){(uint8_t *)&status, sizeof status});
  struct elf_prpsinfo info = {.pr_pid = (pid_t)pid, .pr_fname = "program"};
  append_note(notes, NT_PRPSINFO,
              &(struct buffer){(uint8_t *)&info, sizeof info});
}

static void append_auxv(struct buffer *notes, uint64_t entry) {
  struct buffer vector = {0};
  append_u64(&vector, AT_ENTRY);
  append_u64(&vector, entry);
  append_u64(&vector, AT_NULL);
  append_u64(&vector, 0);
  append_note(notes, NT_AUXV, &vector);
  free(vector.bytes);
}

static void append_files(struct buffer *notes, const struct elf_core *core) {
  enum {
    PAGE = 4096
  };
  struct buffer files = {0};
  append_u64(&files,
             core->mapping_claim ? core->mapping_claim : core->mapping_count);
  append_u64(&files, PAGE);
  for (size_t i = 0; i < core->mapping_count; i++) {
    append_u64(&files, core->mappings[i].start);
    append_u64(&files, core->mappings[i].end);
    append_u64(&files, core->mappings[i].page_offset);
  }
  for (size_t i = 0; i < core->mapping_count; i++)
    append(&files, core->mappings[i].path, strlen(core->mappings[i].path) + 1);
  append_note(notes, NT_FILE, &files);
  free(files.bytes);
}

static struct buffer make_notes(const struct elf_core *core) {
  struct buffer notes = {0};
  if (core->pid)
    append_process(&notes, core->pid);
  if (core->entry)
    append_auxv(&notes, core->entry);
  if (core->mapping_count || core->mapping_claim)
    append_files(&notes, core);
  return notes;
}

static Elf64_Ehdr make_header(const struct elf_core *core) {
  size_t count = core->segment_count + 1;
  Elf64_Ehdr header = {
      .e_type = core->type ? core->type : ET_CORE,
      .e_machine = core->machine ? core->machine : EM_X86_64,
      .e_version = EV_CURRENT,
      .e_phoff = sizeof header,
      .e_ehsize = sizeof header,
      .e_phentsize = core->phentsize ? core->phentsize : sizeof(Elf64_Phdr),
      .e_phnum = core->no_headers       ? 0
                 : core->extended_count ? PN_XNUM
                                        : (uint16_t)count,
  };
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = core->class ? core->class : ELFCLASS64;
  header.e_ident[EI_DATA] = core->encoding ? core->encoding : ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  if (core->extended_count) {
    header.e_shoff = sizeof header + count * sizeof(Elf64_Phdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 1;
  }
  return header;
}

static void append_counted(struct buffer *buffer, uint64_t count) {
  for (uint64_t i = 0; i < count; i++)
    append(buffer, &(uint8_t){(uint8_t)(i % 255 + 1)}, 1);
}

uint8_t *elf_core_write(const struct elf_core *core, size_t *size) {
  struct buffer notes = make_notes(core);
  struct buffer file = {0};
  size_t count = core->segment_count + 1;
  Elf64_Ehdr header = make_header(core);
  append(&file, &header, sizeof header);
  append(&file, NULL, count * sizeof(Elf64_Phdr));
  if (core->extended_count) {
    Elf64_Shdr section = {.sh_size = 1, .sh_info = (uint32_t)count};
    append(&file, &section, sizeof section);
  }

  Elf64_Phdr note = {.p_type = PT_NOTE, .p_filesz = notes.size, .p_align = 4};
  note.p_offset = file.size;
  if (!core->notes_last)
    append(&file, notes.bytes, notes.size);
  for (size_t i = 0; i < core->segment_count; i++) {
    const struct elf_segment *segment = &core->segments[i];
    Elf64_Phdr load = {
        .p_type = PT_LOAD,
        .p_flags = segment->flags ? segment->flags : PF_R | PF_W,
        .p_offset = segment->offset ? segment->offset : file.size,
        .p_vaddr = segment->address,
        .p_filesz = segment->filesz,
        .p_memsz = segment->memsz ? segment->memsz : segment->filesz,
        .p_align = 1,
    };
    if (segment->data)
      append(&file, segment->data, segment->filesz);
    else if (!segment->offset)
      append_counted(&file, segment->filesz);
    memcpy(file.bytes + sizeof header + (i + 1) * sizeof load, &load,
           sizeof load);
  }
  if (core->notes_last) {
    note.p_offset = file.size;
    append(&file, notes.bytes, notes.size);
  }
  memcpy(file.bytes + sizeof header, &note, sizeof note);
  free(notes.bytes);
  *size = file.size;
  return file.bytes;
}

char *file_write(const void *bytes, size_t size) {
  char *path = strdup("/tmp/muppy-test-XXXXXX");
  if (!path)
    fail("strdup");
  int fd = mkstemp(path);
  if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd))
    fail(path);
  return path;
}

void file_remove(char *path) {
  unlink(path);
  free(path);
}
