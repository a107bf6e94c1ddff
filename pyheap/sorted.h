/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Finding a place in what is sorted.
 */
#ifndef PYHEAP_SORTED_H
#define PYHEAP_SORTED_H

#include <stdint.h>

/** The first index from LOW on, before HIGH, at which BEFORE is false; HIGH when
 * there is none.  BEFORE is an expression of the index, a variable that is to be
 * called I; it is true up to a place and false from there on. */
#define SORTED_PLACE(low, high, i, before)                                     \
  ({                                                                           \
    uint64_t low_ = (low), high_ = (high);                                     \
    while (low_ < high_) {                                                     \
      uint64_t i = low_ + (high_ - low_) / 2;                                  \
      if (before)                                                              \
        low_ = i + 1;                                                          \
      else                                                                     \
        high_ = i;                                                             \
    }                                                                          \
    low_;                                                                      \
  })

#endif
