/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The data files written by probe.sh, one a build of CPython.
 */
#ifndef PYHEAP_LAYOUT_CPYTHON_H
#define PYHEAP_LAYOUT_CPYTHON_H

#include "layout.h"

/** What follows "cpython_" in the names of the files, in the order in which
 * they are tried. */
#define CPYTHON_LAYOUTS(X)                                                     \
  X(3_8)                                                                       \
  X(3_8_debug)                                                                 \
  X(3_8_trace_refs)                                                            \
  X(3_9)                                                                       \
  X(3_9_debug)                                                                 \
  X(3_9_trace_refs)                                                            \
  X(3_10)                                                                      \
  X(3_10_debug)                                                                \
  X(3_10_trace_refs)                                                           \
  X(3_11)                                                                      \
  X(3_11_debug)                                                                \
  X(3_11_trace_refs)                                                           \
  X(3_12)                                                                      \
  X(3_12_debug)                                                                \
  X(3_12_trace_refs)                                                           \
  X(3_13)                                                                      \
  X(3_13_5)                                                                    \
  X(3_13_15)                                                                   \
  X(3_13_debug)                                                                \
  X(3_13_15_debug)                                                             \
  X(3_13_trace_refs)                                                           \
  X(3_13t)                                                                     \
  X(3_13_15t)                                                                  \
  X(3_13t_debug)                                                               \
  X(3_13_15t_debug)                                                            \
  X(3_14_0)                                                                    \
  X(3_14_4)                                                                    \
  X(3_14_5)                                                                    \
  X(3_14_0_debug)                                                              \
  X(3_14_4_debug)                                                              \
  X(3_14_5_debug)                                                              \
  X(3_14_5_trace_refs)                                                         \
  X(3_14_0t)                                                                   \
  X(3_14_4t)                                                                   \
  X(3_14_5t)                                                                   \
  X(3_14_10t)                                                                  \
  X(3_14_0t_debug)                                                             \
  X(3_14_4t_debug)                                                             \
  X(3_14_5t_debug)                                                             \
  X(3_14_10t_debug)                                                            \
  X(3_15)                                                                      \
  X(3_15_debug)                                                                \
  X(3_15_trace_refs)                                                           \
  X(3_15_2t)                                                                   \
  X(3_15_2t_debug)

#define DECLARE_LAYOUT(name) extern const struct layout layout_cpython_##name;
CPYTHON_LAYOUTS(DECLARE_LAYOUT)
#undef DECLARE_LAYOUT

#endif
