/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Tables of objects that CPython up to 3.9 has in C variables.  No symbol tells
 * where they are in a stripped program; what is in them does.
 */
#ifndef PYHEAP_STATIC_TABLES_H
#define PYHEAP_STATIC_TABLES_H

#include "heap.h"

/** The tables in one area of C variables; an address of 0: none there. */
struct static_tables {
  const struct pyheap *heap;
  bool looked_for;     /**< Later versions have them in their interpreters. */
  uint64_t cache;      /**< The cache of attribute look-ups. */
  uint64_t latin1;     /**< str of one character. */
  uint64_t characters; /**< bytes of one byte. */
};

enum static_word {
  STATIC_UNKNOWN,
  STATIC_OWNED,
  STATIC_BORROWED,
};

void static_tables_find(const struct pyheap *heap,
                        const struct memory_static *area,
                        struct static_tables *ret);
/** What the word TARGET at ADDRESS in the area is to its table, whose name is
 * *NAME then. */
enum static_word static_tables_word(const struct static_tables *tables,
                                    uint64_t address, uint64_t target,
                                    const char **name);

#endif
