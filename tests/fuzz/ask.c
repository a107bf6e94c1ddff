/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every question there is, asked of one core file, of which about half a time:
 * twice as many cases find more than all questions of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"
#include "plugin/browse/heap_tree.h"
#include "plugin/command.h"

enum {
  ARGUMENTS = 8,
  CHOSEN = 4,
  VALUE_LIMIT = 60,
  MOST_REFERENCES = 5000,
  BROWSE_STEPS = 15,
  SCREEN_ROWS = 24,
  FILES_MISSING = 4, /**< In one case of so many. */
  MISSED = 8, /**< If one object in so many is gone, this has to be told. */
};

/** The object that is asked about stands for "@". */
static const char *const questions[][ARGUMENTS] = {
    {"info"},
    {"summary", "-limit", "unlimited"},
    {"filter", "*", "-limit", "200"},
    {"objects", "-min-length", "1", "-sort", "length", "-limit", "200"},
    {"objects", "-generation", "2", "-min-refcount", "2", "-count"},
    {"objects", "-roots"},
    {"summary", "-detail", "3", "-limit", "unlimited"},
    {"retained", "-min", "0"},
    {"cycles", "-limit", "200"},
    {"cycles", "-code", "-dot", "/dev/null"},
    {"summary", "-orphans"},
    {"objects", "-orphans", "-limit", "200"},
    {"save", "/dev/null"},
    {"export"},
    {"info"},
};
static const char *const about_object[][ARGUMENTS] = {
    {"object", "@"},
    {"referents", "@", "-level", "4"},
    {"refs", "@", "-depth", "4"},
    {"refs", "@", "-depth", "4", "-dot", "/dev/null"},
    {"sizeof", "@", "-detail", "4"},
    {"sizeof", "@", "-code"},
    {"retained", "@"},
    {"cycles", "@", "-code"},
};

static enum command_status
ask(struct session *session, const char *const *question, const char *address) {
  /* Commands reorder their arguments and do not write into them. */
  char *arguments[ARGUMENTS + 1] = {0};
  int count = 0;
  for (; count < ARGUMENTS && question[count]; count++)
    arguments[count] =
        (char *)(question[count][0] == '@' ? address : question[count]);
  enum command_status status = command_run(session, count, arguments);
  if (status == COMMAND_USAGE) {
    fprintf(stderr, "damage: muppy %s: no such question\n", question[0]);
    abort();
  }
  return status;
}

struct names {
  const struct pyheap *heap;
  size_t count;
};

static bool name_reference(void *context,
                           const struct pyheap_reference *reference) {
  struct names *names = context;
  char *text;
  struct pyheap_error *error =
      pyheap_name_text(names->heap, reference->name, VALUE_LIMIT, &text);
  if (!error)
    free(text);
  pyheap_error_destroy(error);
  return ++names->count < MOST_REFERENCES;
}

/** What the library says of each node.  */
static const char *look_at(const struct pyheap *heap, pyheap_node node,
                           uint64_t memory) {
  struct names names = {.heap = heap};
  uint64_t start, end;
  char *text;

  pyheap_referents(heap, node, name_reference, &names);
  struct pyheap_error *error = pyheap_value(heap, node, VALUE_LIMIT, &text);
  if (!error)
    free(text);
  pyheap_error_destroy(error);
  pyheap_length(heap, node);
  if (pyheap_is_root(heap, node))
    return pyheap_root_name(heap, node) ? NULL : "a root without a name";
  if (pyheap_node_at(heap, pyheap_address(heap, node)) != node)
    return "an object that is not at its address";
  if (pyheap_type_of(heap, node) >= pyheap_type_count(heap))
    return "an object without a type";
  if (pyheap_size(heap, node) > memory)
    return "an object larger than all memory";
  if (!pyheap_extent(heap, node, &start, &end) || start > end ||
      end - start > memory)
    return "an object whose end is before its start";
  return NULL;
}

/** EXPECTED is how many objects there were before the damage. */
static const char *look_at_all(struct pyheap *heap, uint64_t expected) {
  const struct pyheap_info *info = pyheap_info(heap);
  uint64_t memory = info->memory_bytes + info->missing_bytes;
  pyheap_node count = pyheap_node_count(heap);
  const char *nonsense = NULL;

  if (info->reachable + info->orphans < expected - expected / MISSED &&
      !info->problem_count && !info->incomplete)
    nonsense = "objects that are gone without a word";
  for (pyheap_node node = 0; node < count && !nonsense; node++)
    nonsense = look_at(heap, node, memory);
  for (size_t i = 0; i < info->problem_count && !nonsense; i++)
    if (!info->problems[i].count)
      nonsense = "a problem that never happened";
  return nonsense;
}

/** What a screen would show. */
static void look_at_screen(struct browse_model *model,
                           const struct heap_tree *tree, FILE *out) {
  uint64_t first = browse_first(model, SCREEN_ROWS);
  struct browse_row row;

  for (uint64_t i = first; i < first + SCREEN_ROWS && i < browse_rows(model);
       i++) {
    struct browse_text text = {0};
    browse_row(model, i, &row, &text);
    browse_text_deinit(&text);
  }
  struct buffer title = {0};
  browse_row(model, browse_cursor(model), &row, NULL);
  heap_tree_title(tree, row.item, browse_direction(model), &title);
  buffer_deinit(&title);
  heap_tree_details(tree, row.item, out, 80);
}

/** Wanders about as a user of muppy browse does. */
static void browse(struct pyheap *heap, uint64_t *variety, FILE *out) {
  struct heap_tree tree;
  struct pyheap_error *error = pyheap_index_references(heap);
  struct browse_row row;

  if (!error)
    error = heap_tree_init(&tree, heap);
  if (error) {
    pyheap_error_destroy(error);
    return;
  }
  const struct browse_source source = heap_tree_source(&tree);
  struct browse_model *model = browse_create(
      &source, (struct browse_item){HEAP_ITEM_ALL, 0}, BROWSE_REFERRERS);
  for (int i = 0; i < BROWSE_STEPS; i++) {
    uint64_t chance = next_random(variety);
    browse_move_to(model, next_random(variety) % browse_rows(model));
    browse_open(model);
    look_at_screen(model, &tree, out);
    browse_row(model, browse_cursor(model), &row, NULL);
    if (chance % 8 == 0)
      browse_visit(model, row.item,
                   chance % 16 ? BROWSE_REFERENTS : BROWSE_REFERRERS);
    else if (chance % 8 == 1)
      browse_close(model);
    else if (chance % 8 == 2)
      browse_back(model);
  }
  browse_destroy(model);
  heap_tree_deinit(&tree);
}

const char *ask_everything(const char *path, uint64_t variety,
                           uint64_t expected) {
  FILE *out = fopen("/dev/null", "w");
  if (!out)
    return "no /dev/null";
  struct session session = {.out = out, .width = 80};
  const char *nonsense = NULL;
  session.target.core = path;
  session.target.threads = 1 + variety % 2;
  /* As on another machine: the interpreter's file is missing. */
  if (variety / 2 % FILES_MISSING == 0)
    session.target.sysroot = "/nonexistent";

  for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
    if ((i == 0 || next_random(&variety) % 2) &&
        ask(&session, questions[i], NULL) == COMMAND_TARGET)
      break;
  pyheap_node count = session.heap ? pyheap_node_count(session.heap) : 0;
  for (int i = 0; i < CHOSEN && count; i++) {
    char address[32];
    snprintf(address, sizeof address, "%#llx",
             (unsigned long long)pyheap_address(
                 session.heap, (pyheap_node)(next_random(&variety) % count)));
    for (size_t j = 0; j < sizeof about_object / sizeof *about_object; j++)
      ask(&session, about_object[j], address);
  }
  if (count)
    browse(session.heap, &variety, out);
  if (count)
    nonsense = look_at_all(session.heap, expected);
  session_close(&session);
  fclose(out);
  return nonsense;
}
