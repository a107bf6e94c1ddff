/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The semi-NCA algorithm: semidominators as Lengauer and Tarjan find them, by
 * compressing paths; then the dominator of a node is its parent's nearest
 * dominator that is not behind its semidominator (L. Georgiadis, Linear-Time
 * Algorithms for Dominators and Related Problems, 2005, section 2.1).  In
 * practice linear, and it needs nothing but arrays. */
#include "config.h"

#include "dominators.h"

#include "error.h"

/** By number. */
struct forest {
  uint32_t *ancestors; /**< The parent, or one further up after compression. */
  uint32_t *labels;    /**< Of the path to the ancestor, the number with the
                            least semidominator. */
  uint32_t *semis;
  uint32_t *path; /**< Room for the longest path. */
};

static void forest_deinit(struct forest *forest) {
  free(forest->ancestors);
  free(forest->labels);
  free(forest->semis);
  free(forest->path);
}

static struct pyheap_error *forest_init(struct forest *forest,
                                        const struct walked *walked) {
  size_t count = (size_t)walked->count + 1;
  forest->ancestors = reallocarray(NULL, count, sizeof *forest->ancestors);
  forest->labels = reallocarray(NULL, count, sizeof *forest->labels);
  forest->semis = reallocarray(NULL, count, sizeof *forest->semis);
  forest->path = reallocarray(NULL, count, sizeof *forest->path);
  if (!forest->ancestors || !forest->labels || !forest->semis || !forest->path)
    return &error_no_memory;
  for (uint32_t i = 0; i <= walked->count; i++) {
    forest->ancestors[i] = i ? walked->parents[i] : 0;
    forest->labels[i] = i;
    forest->semis[i] = i;
  }
  return NULL;
}

/** The least semidominator on the path from NUMBER up to what is not done yet,
 * which are the numbers below DONE. */
static uint32_t least_semi(struct forest *forest, uint32_t number,
                           uint32_t done) {
  uint32_t *ancestors = forest->ancestors, *labels = forest->labels;
  uint32_t depth = 0;

  while (ancestors[number] >= done) {
    forest->path[depth++] = number;
    number = ancestors[number];
  }
  while (depth) {
    uint32_t below = forest->path[--depth];
    if (forest->semis[labels[number]] < forest->semis[labels[below]])
      labels[below] = labels[number];
    ancestors[below] = ancestors[number];
    number = below;
  }
  return forest->semis[labels[number]];
}

/** The semidominator of NUMBER, when those of all greater numbers are known. */
static uint32_t find_semi(struct forest *forest, const struct walked *walked,
                          uint32_t number) {
  uint32_t node = walked->nodes[number];
  uint32_t least = walked->parents[number];

  if (walked->entries[number] == ENTRY_OUTSIDE)
    return 0;
  if (walked->entries[number] == ENTRY_FIRST)
    return 1;
  if (node >= walked->source_count)
    return least;
  for (uint64_t i = walked->starts[node]; i < walked->starts[node + 1]; i++) {
    uint32_t source = walked->numbers[walked->sources[i]];
    if (!source || source > walked->count)
      continue;
    uint32_t semi =
        source <= number ? source : least_semi(forest, source, number + 1);
    if (semi < least)
      least = semi;
  }
  return least;
}

struct pyheap_error *dominators_find(const struct walked *walked,
                                     uint32_t *dominators) {
  struct forest forest = {0};
  struct pyheap_error *error = forest_init(&forest, walked);

  for (uint32_t i = walked->count; !error && i; i--)
    forest.semis[i] = find_semi(&forest, walked, i);
  dominators[0] = 0;
  for (uint32_t i = 1; !error && i <= walked->count; i++) {
    uint32_t dominator = walked->parents[i];
    while (dominator > forest.semis[i])
      dominator = dominators[dominator];
    dominators[i] = dominator;
  }
  forest_deinit(&forest);
  return error;
}
