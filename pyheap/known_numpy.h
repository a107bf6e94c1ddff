/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * NumPy's arrays, data types and scalars: types of no standard library, but of
 * most heaps that are large.
 */
#ifndef PYHEAP_KNOWN_NUMPY_H
#define PYHEAP_KNOWN_NUMPY_H

#include "known_type.h"
#include "words.h"

/** The rows; name NULL behind the last. */
extern const struct known_type known_numpy[];

/** "(1000, 3) float64": shape and data type of an array, as far as they make
 * sense. */
void say_ndarray(struct words *words, const struct pyheap *heap,
                 const struct object *object);

#endif
