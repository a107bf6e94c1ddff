/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "symbols.h"

#include <bfd.h>
#include <elf.h>
#include <string.h>

#include "error.h"
#include "sorted.h"

struct symbol {
  uint64_t address;
  const char *name;
};

struct symbols {
  bfd *file;
  asymbol **tables[2];       /**< .symtab and .dynsym; they hold the names. */
  struct symbol *by_address; /**< Sorted. */
  size_t count;
  uint64_t base;
};

/** BFD would print what it dislikes about a file into the user's terminal. */
static void say_nothing(const char *format, va_list arguments) {
  (void)format;
  (void)arguments;
}

static void init_bfd(void) {
  static bool done;
  if (done)
    return;
  bfd_init();
  bfd_set_error_handler(say_nothing);
  done = true;
}

void symbols_close(struct symbols *symbols) {
  if (!symbols)
    return;
  free(symbols->tables[0]);
  free(symbols->tables[1]);
  free(symbols->by_address);
  if (symbols->file)
    bfd_close(symbols->file);
  free(symbols);
}

static int compare_symbols(const void *a, const void *b) {
  const struct symbol *left = a, *right = b;
  return left->address < right->address ? -1 : left->address > right->address;
}

/** Reads one of the tables; a file without it has no symbols there. */
static struct pyheap_error *read_table(struct symbols *symbols, int which,
                                       long *count) {
  bfd *file = symbols->file;
  long size = which ? bfd_get_dynamic_symtab_upper_bound(file)
                    : bfd_get_symtab_upper_bound(file);
  *count = 0;
  if (size <= 0)
    return NULL;
  asymbol **table = malloc((size_t)size);
  if (!table)
    return &error_no_memory;
  symbols->tables[which] = table;
  long got = which ? bfd_canonicalize_dynamic_symtab(file, table)
                   : bfd_canonicalize_symtab(file, table);
  *count = got > 0 ? got : 0;
  return NULL;
}

static bool is_wanted(const asymbol *symbol) {
  return !(symbol->flags & (BSF_SECTION_SYM | BSF_FILE | BSF_DEBUGGING)) &&
         !bfd_is_und_section(symbol->section) && symbol->name[0];
}

static struct pyheap_error *read_symbols(struct symbols *symbols) {
  long counts[2];
  TRY(read_table(symbols, 0, &counts[0]));
  TRY(read_table(symbols, 1, &counts[1]));
  size_t most = (size_t)(counts[0] + counts[1]);
  symbols->by_address = reallocarray(NULL, most + 1, sizeof(struct symbol));
  if (!symbols->by_address)
    return &error_no_memory;
  for (int which = 0; which < 2; which++)
    for (long i = 0; i < counts[which]; i++) {
      const asymbol *symbol = symbols->tables[which][i];
      if (is_wanted(symbol))
        symbols->by_address[symbols->count++] =
            (struct symbol){bfd_asymbol_value(symbol), symbol->name};
    }
  qsort(symbols->by_address, symbols->count, sizeof(struct symbol),
        compare_symbols);
  return NULL;
}

/** Where the linker put the file's first byte: the lowest difference between a
 * loaded section's address and its place in the file. */
static uint64_t read_base(bfd *file) {
  uint64_t base = UINT64_MAX;
  for (asection *section = file->sections; section; section = section->next) {
    uint64_t at = section->vma - (uint64_t)section->filepos;
    if ((section->flags & SEC_LOAD) &&
        section->vma >= (uint64_t)section->filepos && at < base)
      base = at;
  }
  return base == UINT64_MAX ? 0 : base;
}

struct pyheap_error *symbols_open(const char *path, struct symbols **ret) {
  init_bfd();
  struct symbols *symbols = calloc(1, sizeof *symbols);
  if (!symbols)
    return &error_no_memory;
  symbols->file = bfd_openr(path, NULL);
  if (!symbols->file || !bfd_check_format(symbols->file, bfd_object) ||
      bfd_get_flavour(symbols->file) != bfd_target_elf_flavour) {
    struct pyheap_error *error =
        error_create(PYHEAP_ERROR_NOT_PYTHON, 0, "%s: %s", path,
                     bfd_errmsg(bfd_get_error()));
    symbols_close(symbols);
    return error;
  }
  struct pyheap_error *error = read_symbols(symbols);
  if (error) {
    symbols_close(symbols);
    return error;
  }
  symbols->base = read_base(symbols->file);
  *ret = symbols;
  return NULL;
}

bool symbols_find(const struct symbols *symbols, const char *name,
                  uint64_t *address) {
  for (size_t i = 0; i < symbols->count; i++)
    if (strcmp(symbols->by_address[i].name, name) == 0) {
      *address = symbols->by_address[i].address;
      return true;
    }
  return false;
}

const char *symbols_name_at(const struct symbols *symbols, uint64_t address,
                            uint64_t *offset) {
  uint64_t place = SORTED_PLACE(0, symbols->count, i,
                                symbols->by_address[i].address <= address);
  if (!place)
    return NULL;
  *offset = address - symbols->by_address[place - 1].address;
  return symbols->by_address[place - 1].name;
}

uint64_t symbols_base(const struct symbols *symbols) {
  return symbols->base;
}
