/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dominators of random graphs against their definition: a node dominates
 * another when, without it, the other cannot be reached. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pyheap/dominators.h"

enum {
  MOST = 24, /**< Nodes. */
};

/** A small graph with all that the walk of it yields. */
struct graph {
  uint32_t count;
  bool edges[MOST][MOST]; /**< From, to. */
  bool outside[MOST], first[MOST];
  uint32_t starts[MOST + 1];
  uint32_t sources[MOST * MOST];
  uint32_t numbers[MOST], nodes[MOST + 2], parents[MOST + 2];
  uint8_t entries[MOST + 2];
  uint32_t walked;
};

static unsigned next_random(unsigned *state) {
  *state = *state * 1103515245u + 12345u;
  return *state >> 16;
}

static void make_random(struct graph *graph, unsigned *state) {
  memset(graph, 0, sizeof *graph);
  graph->count = 1 + next_random(state) % MOST;
  unsigned edges = next_random(state) % (3 * graph->count);
  for (unsigned i = 0; i < edges; i++)
    graph->edges[next_random(state) % graph->count]
                [next_random(state) % graph->count] = true;
  graph->first[0] = true;
  graph->first[next_random(state) % graph->count] = true;
  for (uint32_t i = 0; i < graph->count; i++)
    graph->outside[i] = !graph->first[i] && next_random(state) % 5 == 0;
}

static void turn_round(struct graph *graph) {
  uint32_t at = 0;

  for (uint32_t to = 0; to < graph->count; to++) {
    graph->starts[to] = at;
    for (uint32_t from = 0; from < graph->count; from++)
      if (graph->edges[from][to])
        graph->sources[at++] = from;
  }
  graph->starts[graph->count] = at;
}

/** Depth first; a start is entered from number 1 alone. */
static void walk(struct graph *graph, uint32_t node, uint32_t parent) {
  uint32_t number = ++graph->walked;

  graph->numbers[node] = number;
  graph->nodes[number] = node;
  graph->parents[number] = parent;
  for (uint32_t to = 0; to < graph->count; to++)
    if (graph->edges[node][to] && !graph->numbers[to] && !graph->first[to])
      walk(graph, to, number);
}

static void walk_all(struct graph *graph) {
  graph->walked = 1;
  graph->nodes[1] = PYHEAP_NO_NODE;
  for (uint32_t i = 0; i < graph->count; i++)
    if (graph->first[i])
      walk(graph, i, 1);
  for (uint32_t i = 0; i < graph->count; i++) {
    if (graph->first[i])
      graph->entries[graph->numbers[i]] = ENTRY_FIRST;
    else if (graph->outside[i] && graph->numbers[i])
      graph->entries[graph->numbers[i]] = ENTRY_OUTSIDE;
  }
}

static void spread(const struct graph *graph, uint32_t node, uint32_t without,
                   bool *reached) {
  uint32_t number = graph->numbers[node];

  if (!number || number == without || reached[number])
    return;
  reached[number] = true;
  for (uint32_t to = 0; to < graph->count; to++)
    if (graph->edges[node][to] && !graph->first[to])
      spread(graph, to, without, reached);
}

/** Which numbers can be reached when one (0: none) is taken away. */
static void reach(const struct graph *graph, uint32_t without, bool *reached) {
  memset(reached, 0, MOST + 2);
  for (uint32_t i = 0; i < graph->count; i++)
    if (graph->numbers[i] &&
        (graph->entries[graph->numbers[i]] == ENTRY_OUTSIDE ||
         (graph->first[i] && without != 1)))
      spread(graph, i, without, reached);
}

static void check(const struct graph *graph, const uint32_t *dominators) {
  bool reached[MOST + 2];

  for (uint32_t a = 1; a <= graph->walked; a++) {
    reach(graph, a, reached);
    for (uint32_t b = 2; b <= graph->walked; b++) {
      uint32_t up = b;
      while (up && up != a)
        up = dominators[up];
      assert_int_equal(up == a, b == a || !reached[b]);
    }
  }
}

static void random_graphs(void **state) {
  (void)state;
  unsigned seed = 1;

  for (int i = 0; i < 5000; i++) {
    static struct graph graph;
    uint32_t dominators[MOST + 2];
    make_random(&graph, &seed);
    turn_round(&graph);
    walk_all(&graph);
    struct walked walked = {
        .count = graph.walked,
        .nodes = graph.nodes,
        .parents = graph.parents,
        .numbers = graph.numbers,
        .starts = graph.starts,
        .sources = graph.sources,
        .source_count = graph.count,
        .entries = graph.entries,
    };
    assert_null(dominators_find(&walked, dominators));
    check(&graph, dominators);
  }
}

/** A chain of a million nodes, each also led to by its grandparent: deep enough
 * to show any recursion. */
static void long_chain(void **state) {
  (void)state;
  enum {
    LENGTH = 1000000
  };
  uint32_t *nodes = calloc(LENGTH + 1, sizeof *nodes);
  uint32_t *parents = calloc(LENGTH + 1, sizeof *parents);
  uint32_t *starts = calloc(LENGTH + 2, sizeof *starts);
  uint32_t *sources = calloc(2 * LENGTH, sizeof *sources);
  uint8_t *entries = calloc(LENGTH + 1, 1);
  uint32_t *dominators = calloc(LENGTH + 1, sizeof *dominators);
  uint32_t at = 0;

  for (uint32_t i = 1; i <= LENGTH; i++) {
    nodes[i] = i;
    parents[i] = i - 1;
    starts[i] = at;
    if (i > 1)
      sources[at++] = i - 1;
    if (i > 2)
      sources[at++] = i - 2;
  }
  starts[LENGTH + 1] = at;
  entries[1] = ENTRY_OUTSIDE;
  struct walked walked = {
      .count = LENGTH,
      .nodes = nodes,
      .parents = parents,
      .numbers = nodes,
      .starts = starts,
      .sources = sources,
      .source_count = LENGTH + 1,
      .entries = entries,
  };
  assert_null(dominators_find(&walked, dominators));
  assert_int_equal(dominators[1], 0);
  assert_int_equal(dominators[2], 1);
  /* Node 3 can be reached from 1 and from 2, so 1 dominates it; from there on
   * two ways lead side by side that meet nowhere but in 1. */
  for (uint32_t i = 3; i <= LENGTH; i++)
    assert_int_equal(dominators[i], 1);
  free(nodes);
  free(parents);
  free(starts);
  free(sources);
  free(entries);
  free(dominators);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_graphs),
      cmocka_unit_test(long_chain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
