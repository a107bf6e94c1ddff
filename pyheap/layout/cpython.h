/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The data files written by probe.sh, one a build of CPython.
 */
#ifndef PYHEAP_LAYOUT_CPYTHON_H
#define PYHEAP_LAYOUT_CPYTHON_H

#include "layout.h"

extern const struct layout layout_cpython_3_8;
extern const struct layout layout_cpython_3_9;
extern const struct layout layout_cpython_3_10;
extern const struct layout layout_cpython_3_11;
extern const struct layout layout_cpython_3_11_debug;
extern const struct layout layout_cpython_3_12;
extern const struct layout layout_cpython_3_13;

#endif
