/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What tells one object from another at the same address.
 */
#ifndef PYHEAP_FINGERPRINT_H
#define PYHEAP_FINGERPRINT_H

#include "known_type.h"

/** A number made of what never changes while OBJECT lives; 0 where there is no
 * such thing.  Of long texts, by their beginning, end and length. */
uint16_t fingerprint(const struct pyheap *heap, const struct object *object);

#endif
