/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Strongly connected components: sets of nodes each of which leads to all the
 * others.
 */
#ifndef PYHEAP_COMPONENTS_H
#define PYHEAP_COMPONENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "pyheap.h"

/** From node n the arrows go to targets[starts[n]] .. [starts[n + 1]]; those to
 * `count` and above are not looked at. */
struct arrows {
  uint32_t count;
  const uint32_t *starts;
  const uint32_t *targets;
  const uint64_t *left_out; /**< A bit for each node that is as good as not
                                 there; or NULL. */
};

/** Takes one component.  All that its nodes lead to came before it.  Returns
 * false to stop. */
typedef bool component_fn(void *context, const uint32_t *nodes, uint32_t count);

/**
 * Finds the components, single nodes included.  Turned-round arrows make the
 * same components, in the reverse order.
 * Takes some 24 bytes a node at most; fails for want of memory, or with
 * PYHEAP_ERROR_CANCELED when FN returned false.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
components_find(const struct arrows *arrows, component_fn *fn, void *context);

static inline bool bit_get(const uint64_t *bits, uint64_t bit) {
  return bits[bit / 64] >> (bit % 64) & 1;
}
static inline void bit_set(uint64_t *bits, uint64_t bit) {
  bits[bit / 64] |= 1ull << (bit % 64);
}
static inline void bit_clear(uint64_t *bits, uint64_t bit) {
  bits[bit / 64] &= ~(1ull << (bit % 64));
}

#endif
