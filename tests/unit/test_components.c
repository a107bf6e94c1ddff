/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strongly connected components of random graphs against their definition. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pyheap/components.h"

enum {
  MOST = 40, /**< Nodes. */
};

struct graph {
  uint32_t count;
  bool reach[MOST][MOST]; /**< Whether one leads to the other, over any way. */
  uint32_t starts[MOST + 1];
  uint32_t targets[4 * MOST];
  uint64_t left_out;
  uint32_t component[MOST]; /**< 0: none yet. */
  uint32_t found;
};

static unsigned next_random(unsigned *state) {
  *state = *state * 1103515245u + 12345u;
  return *state >> 16;
}

static bool is_there(const struct graph *graph, uint32_t node) {
  return !(graph->left_out >> node & 1);
}

static void make_random(struct graph *graph, unsigned *state) {
  uint32_t at = 0;

  memset(graph, 0, sizeof *graph);
  graph->count = 1 + next_random(state) % MOST;
  if (next_random(state) % 2)
    for (uint32_t i = 0; i < graph->count; i++)
      graph->left_out |= (uint64_t)(next_random(state) % 6 == 0) << i;
  for (uint32_t from = 0; from < graph->count; from++) {
    graph->starts[from] = at;
    for (unsigned left = next_random(state) % 4; left; left--) {
      /* Some arrows lead to what is no node. */
      uint32_t to = next_random(state) % (graph->count + 2);
      graph->targets[at++] = to;
      if (to < graph->count && is_there(graph, from) && is_there(graph, to))
        graph->reach[from][to] = true;
    }
  }
  graph->starts[graph->count] = at;
  for (uint32_t via = 0; via < graph->count; via++)
    for (uint32_t a = 0; a < graph->count; a++)
      for (uint32_t b = 0; b < graph->count; b++)
        graph->reach[a][b] |= graph->reach[a][via] && graph->reach[via][b];
}

/** What a component leads to was given out before. */
static bool take(void *context, const uint32_t *nodes, uint32_t count) {
  struct graph *graph = context;

  graph->found++;
  for (uint32_t i = 0; i < count; i++) {
    assert_int_equal(graph->component[nodes[i]], 0);
    graph->component[nodes[i]] = graph->found;
  }
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t to = 0; to < graph->count; to++)
      if (graph->reach[nodes[i]][to])
        assert_int_not_equal(graph->component[to], 0);
  return true;
}

static void random_graphs(void **state) {
  unsigned seed = 1;

  (void)state;
  for (int i = 0; i < 5000; i++) {
    static struct graph graph;
    make_random(&graph, &seed);
    struct arrows arrows = {graph.count, graph.starts, graph.targets,
                            graph.left_out ? &graph.left_out : NULL};
    assert_null(components_find(&arrows, take, &graph));
    for (uint32_t a = 0; a < graph.count; a++) {
      assert_int_equal(graph.component[a] != 0, is_there(&graph, a));
      for (uint32_t b = 0; b < graph.count && graph.component[a]; b++)
        assert_int_equal(graph.component[a] == graph.component[b],
                         a == b || (graph.reach[a][b] && graph.reach[b][a]));
    }
  }
}

static bool count_nodes(void *context, const uint32_t *nodes, uint32_t count) {
  uint32_t *most = context;

  (void)nodes;
  if (count > *most)
    *most = count;
  return true;
}

/** A ring of a million nodes, deep enough to show any recursion. */
static void long_ring(void **state) {
  enum {
    LENGTH = 1000000
  };
  uint32_t *starts = calloc(LENGTH + 1, sizeof *starts);
  uint32_t *targets = calloc(LENGTH, sizeof *targets);
  uint32_t most = 0;

  (void)state;
  for (uint32_t i = 0; i < LENGTH; i++) {
    starts[i] = i;
    targets[i] = (i + 1) % LENGTH;
  }
  starts[LENGTH] = LENGTH;
  struct arrows arrows = {LENGTH, starts, targets, NULL};
  assert_null(components_find(&arrows, count_nodes, &most));
  assert_int_equal(most, LENGTH);
  free(starts);
  free(targets);
}

static bool stop(void *context, const uint32_t *nodes, uint32_t count) {
  (void)context;
  (void)nodes;
  (void)count;
  return false;
}

static void can_be_stopped(void **state) {
  uint32_t starts[] = {0, 0, 0};
  uint32_t targets[1] = {0};
  struct arrows arrows = {2, starts, targets, NULL};
  struct pyheap_error *error = components_find(&arrows, stop, NULL);

  (void)state;
  assert_non_null(error);
  assert_int_equal(error->code, PYHEAP_ERROR_CANCELED);
  pyheap_error_destroy(error);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_graphs),
      cmocka_unit_test(long_ring),
      cmocka_unit_test(can_be_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
