/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The symbols of a program or library file, read with libbfd: nothing else
 * knows BFD.
 */
#ifndef PYHEAP_SYMBOLS_H
#define PYHEAP_SYMBOLS_H

#include "pyheap.h"

struct symbols;

/** Reads the symbol tables (.symtab and .dynsym) of the ELF file PATH.
 * Errors: OS, NOT_PYTHON (not a program BFD can read), NO_MEMORY. */
PYHEAP_MUST_CHECK struct pyheap_error *symbols_open(const char *path,
                                                    struct symbols **ret);
void symbols_close(struct symbols *symbols);

/** The link-time address of the defined symbol NAME. */
bool symbols_find(const struct symbols *symbols, const char *name,
                  uint64_t *address);
/** The data symbol at or before link-time ADDRESS in its section, and how far
 * behind it ADDRESS is; NULL when there is none.  Valid until
 * symbols_close(). */
const char *symbols_name_at(const struct symbols *symbols, uint64_t address,
                            uint64_t *offset);
/** Link-time address of the file's first byte. */
uint64_t symbols_base(const struct symbols *symbols);

#endif
