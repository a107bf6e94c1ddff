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
  uint64_t cache;      /**< The cache of attribute look-ups. */
  uint64_t latin1;     /**< str of one character. */
  uint64_t characters; /**< bytes of one byte. */
};

enum static_word {
  STATIC_UNKNOWN,
  STATIC_OWNED,
  STATIC_BORROWED,
};

/** Finds the tables of all areas, where the version has any: later ones have
 * them in their interpreters. */
struct pyheap_error *static_tables_find(struct pyheap *heap);
/** What the word TARGET at ADDRESS in area number AREA is to the table that it
 * is in, which *NAME tells then. */
enum static_word static_tables_word(const struct pyheap *heap, size_t area,
                                    uint64_t address, uint64_t target,
                                    const char **name);

#endif
