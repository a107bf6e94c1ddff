/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plugin/describe.h"
#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/render/number.h"
#include "plugin/render/table.h"
#include "plugin/session.h"

enum {
  ROWS_MAX = 100000, /**< Beyond these nobody reads a table. */
  DEPTH_MAX = 1000,
  HOLDERS_SHOWN = 20,
};

struct retained {
  uint64_t depth;
  uint64_t limit;
  uint64_t min; /**< UNLIMITED: a hundredth of all. */
  bool bytes;
  const char *output;
  bool force;
};

const struct command_option retained_options[] = {
    {"depth", "N|unlimited", "Show N levels (default 4, at most 1000).",
     OPTION_LEVELS, offsetof(struct retained, depth)},
    {"limit", "N|unlimited",
     "Show the N heaviest rows of each level (default 5).", OPTION_COUNT,
     offsetof(struct retained, limit)},
    {"min", "SIZE",
     "Leave out rows of less (default: a hundredth of the whole).", OPTION_SIZE,
     offsetof(struct retained, min)},
    {"bytes", NULL, "Write sizes as numbers of bytes.", OPTION_FLAG,
     offsetof(struct retained, bytes)},
    OUTPUT_OPTIONS(struct retained),
    {0},
};

static const struct table_column columns[] = {
    {"only it holds", ALIGN_RIGHT, 0, 0, CUT_END},
    {"flat size", ALIGN_RIGHT, 0, 0, CUT_END},
    {"# objects", ALIGN_RIGHT, 0, 0, CUT_END},
    {"object", ALIGN_LEFT, 0, 24, CUT_END},
};

/** Nodes of one type at one place: a row. */
struct group {
  pyheap_node *nodes; /**< Owned; NULL for what was left out. */
  size_t count;
  uint64_t retained, size;
  uint64_t level;
  uint64_t others; /**< Not 0: stands for so many groups. */
};

struct listing {
  struct session *session;
  const struct pyheap *heap;
  const struct pyheap_dominators *dominators;
  const struct retained *options;
  struct table *table;
  struct group *pending; /**< The next is the last. */
  size_t count, capacity;
  uint64_t min; /**< Rows of less are left out. */
  uint64_t rows;
  bool cut;
};

static void push(struct listing *listing, struct group group) {
  if (listing->count == listing->capacity) {
    listing->capacity = listing->capacity ? 2 * listing->capacity : 64;
    listing->pending = must_realloc(
        listing->pending, listing->capacity * sizeof *listing->pending);
  }
  listing->pending[listing->count++] = group;
}

/* Grouping ------------------------------------------------------------------- */

/** The nodes below others, and by place there their type; a root, which has
 * none, has a type of its own behind the last. */
struct below {
  pyheap_node *nodes;
  uint32_t *types;
  size_t count;
  uint32_t type_count;
};

static void below_deinit(struct below *below) {
  free(below->nodes);
  free(below->types);
}

static struct below gather(const struct listing *listing,
                           const pyheap_node *nodes, size_t count) {
  struct below below = {.type_count = pyheap_type_count(listing->heap)};
  size_t total = 0, children;

  for (size_t i = 0; i < count; i++) {
    pyheap_dominated(listing->dominators, nodes[i], &children);
    total += children;
  }
  below.nodes = must_alloc((total + 1) * sizeof *below.nodes);
  below.types = must_alloc((total + 1) * sizeof *below.types);
  for (size_t i = 0; i < count; i++) {
    const pyheap_node *own =
        pyheap_dominated(listing->dominators, nodes[i], &children);
    for (size_t n = 0; n < children; n++) {
      uint32_t type = pyheap_type_of(listing->heap, own[n]);
      below.types[below.count] = type == UINT32_MAX ? below.type_count++ : type;
      below.nodes[below.count++] = own[n];
    }
  }
  return below;
}

static int compare_groups(const void *left, const void *right) {
  const struct group *a = left, *b = right;

  if (a->retained != b->retained)
    return a->retained > b->retained ? -1 : 1;
  return a->nodes[0] < b->nodes[0] ? -1 : 1;
}

/** One group a type; their number becomes *COUNT, and each has its nodes. */
static struct group *make_groups(const struct listing *listing,
                                 const struct below *below, size_t *count) {
  struct group *groups =
      must_alloc((below->type_count + 1ull) * sizeof *groups);
  size_t kept = 0;

  for (uint32_t i = 0; i < below->type_count; i++)
    groups[i] = (struct group){0};
  for (size_t i = 0; i < below->count; i++)
    groups[below->types[i]].count++;
  for (uint32_t i = 0; i < below->type_count; i++) {
    if (groups[i].count)
      groups[i].nodes = must_alloc(groups[i].count * sizeof(pyheap_node));
    groups[i].count = 0;
  }
  for (size_t i = 0; i < below->count; i++) {
    struct group *group = &groups[below->types[i]];
    pyheap_node node = below->nodes[i];
    group->nodes[group->count++] = node;
    group->retained += pyheap_retained(listing->dominators, node);
    group->size += pyheap_size(listing->heap, node);
  }
  for (uint32_t i = 0; i < below->type_count; i++)
    if (groups[i].count)
      groups[kept++] = groups[i];
  qsort(groups, kept, sizeof *groups, compare_groups);
  *count = kept;
  return groups;
}

/** Makes the rows below some nodes pending. */
static void push_below(struct listing *listing, const pyheap_node *nodes,
                       size_t node_count, uint64_t level) {
  struct below below = gather(listing, nodes, node_count);
  struct group rest = {.level = level};
  size_t count;
  struct group *groups = make_groups(listing, &below, &count);

  below_deinit(&below);
  uint64_t limit = listing->options->limit;
  size_t shown = 0;
  while (shown < count && shown < limit &&
         groups[shown].retained >= listing->min)
    shown++;
  shown = (size_t)table_shown(count, shown);
  for (size_t i = shown; i < count; i++) {
    rest.others++;
    rest.count += groups[i].count;
    rest.retained += groups[i].retained;
    rest.size += groups[i].size;
    free(groups[i].nodes);
  }
  if (rest.others)
    push(listing, rest);
  for (size_t i = shown; i--;) {
    groups[i].level = level;
    push(listing, groups[i]);
  }
  free(groups);
}

/* Rows ----------------------------------------------------------------------- */

static void add_size(const struct listing *listing, uint64_t bytes) {
  if (listing->options->bytes)
    table_add_count(listing->table, bytes);
  else
    table_add_size(listing->table, bytes);
}

/** The heaviest of a group, when it is most of it; or PYHEAP_NO_NODE. */
static pyheap_node find_most(const struct pyheap_dominators *dominators,
                             const struct group *group) {
  pyheap_node heaviest = group->nodes[0];
  uint64_t most = 0;

  for (size_t i = 0; i < group->count; i++) {
    uint64_t retained = pyheap_retained(dominators, group->nodes[i]);
    if (retained <= most)
      continue;
    most = retained;
    heaviest = group->nodes[i];
  }
  return most > group->retained / 2 ? heaviest : PYHEAP_NO_NODE;
}

/** The type of several objects, and the one that matters if there is one.
 * Returns where in TEXT its address is. */
static struct span describe_several(struct buffer *text,
                                    const struct listing *listing,
                                    const struct group *group) {
  const struct pyheap *heap = listing->heap;
  pyheap_node most = find_most(listing->dominators, group);

  describe_type(text, heap, pyheap_type_of(heap, group->nodes[0]));
  if (most == PYHEAP_NO_NODE)
    return (struct span){0};
  buffer_add(text, ", mostly ");
  size_t start = text->length;
  buffer_format(text, "0x%" PRIx64, pyheap_address(heap, most));
  struct span address = {start, text->length};
  size_t before = text->length;
  buffer_add(text, " ");
  describe_value(text, heap, most, SHORT_VALUE);
  if (text->length == before + 1)
    buffer_truncate(text, before);
  return address;
}

/** Returns where in TEXT an address is. */
static struct span describe_group(struct buffer *text,
                                  const struct listing *listing,
                                  const struct group *group) {
  for (uint64_t i = 1; i < group->level; i++)
    buffer_add(text, "  ");
  if (group->level)
    buffer_add(text, "+-");
  if (group->others) {
    buffer_format(text, ELLIPSIS " %" PRIu64 " more types", group->others);
    return (struct span){0};
  }
  return group->count == 1 ? describe_node(text, listing->heap, group->nodes[0])
                           : describe_several(text, listing, group);
}

static void add_row(struct listing *listing, const struct group *group) {
  cleanup_buffer struct buffer text = {0};

  listing->rows++;
  add_size(listing, group->retained);
  add_size(listing, group->size);
  table_add_count(listing->table, group->count);
  struct span address = describe_group(&text, listing, group);
  table_add_around(listing->table, buffer_string(&text), address);
}

/** Writes what is pending and what is below; false when canceled. */
static bool add_rows(struct listing *listing) {
  bool complete = true;

  while (listing->count && complete && !listing->cut) {
    struct group group = listing->pending[--listing->count];
    add_row(listing, &group);
    if (group.level < listing->options->depth && !group.others &&
        (!group.level || group.retained >= listing->min))
      push_below(listing, group.nodes, group.count, group.level + 1);
    free(group.nodes);
    listing->cut = listing->rows >= ROWS_MAX;
    complete = listing->rows % 16 ||
               session_continue(listing->session, "grouping objects",
                                listing->rows, 0);
  }
  while (listing->count)
    free(listing->pending[--listing->count].nodes);
  free(listing->pending);
  listing->pending = NULL;
  return complete;
}

/** "  +-TEXT", a step further right than the last, as wide as the output is. */
static void print_holder(const struct output *output, int level,
                         const char *text, struct span kept) {
  cleanup_buffer struct buffer line = {0};
  size_t indent = 2 * (size_t)level, width = (size_t)output->width;

  buffer_fill(&line, ' ', indent);
  buffer_add(&line, "+-");
  indent += 2;
  if (output->width > 0 && display_width(text) + indent > width &&
      width > indent)
    cut_append_around(&line, text, width - indent, kept);
  else
    buffer_add(&line, text);
  fprintf(output->file, "%s\n", buffer_string(&line));
}

/** What holds a node, what holds that, and so on. */
static void print_holders(const struct output *output,
                          const struct listing *listing, pyheap_node node) {
  cleanup_buffer struct buffer text = {0};
  pyheap_node holder;
  int level = 0;

  fputs("held by:\n", output->file);
  for (;; level++) {
    if (!pyheap_dominator(listing->dominators, node, &holder) ||
        holder == PYHEAP_NO_NODE)
      break;
    if (level == HOLDERS_SHOWN) {
      print_holder(output, level, ELLIPSIS, (struct span){0});
      return;
    }
    buffer_clear(&text);
    struct span address = describe_node(&text, listing->heap, holder);
    print_holder(output, level, buffer_string(&text), address);
    node = holder;
  }
  if (pyheap_is_root(listing->heap, node))
    return;
  print_holder(output, level,
               level ? "which no single object holds: several do, or C code"
                     : "no single object: several hold it, or C code",
               (struct span){0});
}

static void print_unheld(const struct listing *listing, FILE *out,
                         const char *what, uint64_t count, uint64_t bytes,
                         const char *next) {
  cleanup_buffer struct buffer text = {0};
  char size[SIZE_TEXT];

  if (!count)
    return;
  describe_count(&text, count, "object");
  if (listing->options->bytes)
    buffer_format(&text, ", %" PRIu64, bytes);
  else
    buffer_format(&text, ", %s", format_size_short(size, bytes));
  fprintf(out, "besides: %s of %s; see %s\n", buffer_string(&text), what, next);
}

/** What the rows do not add up to. */
static void print_all_unheld(const struct listing *listing, FILE *out) {
  struct pyheap_unheld unheld = pyheap_count_unheld(listing->dominators);

  print_unheld(listing, out, "garbage", unheld.garbage, unheld.garbage_bytes,
               "muppy cycles -garbage");
  print_unheld(listing, out, "orphans", unheld.orphans, unheld.orphan_bytes,
               "muppy objects -orphans");
}

static enum command_status answer(struct session *session, struct pyheap *heap,
                                  const struct pyheap_dominators *dominators,
                                  pyheap_node node,
                                  const struct retained *options,
                                  const struct output *output) {
  struct listing listing = {
      .session = session,
      .heap = heap,
      .dominators = dominators,
      .options = options,
      .table = table_create(columns, 4),
      .min = options->min == UNLIMITED ? pyheap_retained(dominators, node) / 100
                                       : options->min,
  };

  if (node == PYHEAP_NO_NODE) {
    push_below(&listing, &node, 1, 1);
  } else {
    struct group only = {.nodes = must_alloc(sizeof node),
                         .count = 1,
                         .retained = pyheap_retained(dominators, node),
                         .size = pyheap_size(heap, node)};
    only.nodes[0] = node;
    push(&listing, only);
  }
  bool complete = add_rows(&listing);
  session_done(session);
  if (complete) {
    table_print(listing.table, output->file, output->width);
    if (listing.cut)
      fputs(ELLIPSIS " cut; -depth or -limit make the answer smaller\n",
            output->file);
    if (node != PYHEAP_NO_NODE)
      print_holders(output, &listing, node);
    else
      print_all_unheld(&listing, output->file);
  }
  table_destroy(listing.table);
  return complete ? COMMAND_OK : session_canceled(session);
}

/** ADDRESS NULL: of everything. */
static enum command_status run(struct session *session,
                               const struct retained *options,
                               const uint64_t *address,
                               const struct output *output) {
  enum command_status status;
  struct pyheap_dominators *dominators;
  pyheap_node node = PYHEAP_NO_NODE, holder;
  struct pyheap *heap = session_references_of(session, address, &node, &status);

  if (!heap)
    return status;
  struct pyheap_error *error = pyheap_dominators_create(heap, &dominators);
  session_done(session);
  if (error)
    return session_error(session, error);
  if (address && !pyheap_dominator(dominators, node, &holder))
    status = session_fail(session, COMMAND_FAILED,
                          "0x%" PRIx64 " is garbage, or an index of interned "
                          "strings: nothing alive holds it; see muppy cycles",
                          *address);
  else
    status = answer(session, heap, dominators, node, options, output);
  pyheap_dominators_destroy(dominators);
  return status;
}

enum command_status retained_run(struct session *session, int argc,
                                 char **argv) {
  struct retained options = {.depth = 4, .limit = 5, .min = UNLIMITED};
  struct output output;
  uint64_t address = 0;
  int operands;
  enum command_status status =
      options_parse(session, retained_options, argc, argv, &options, &operands);

  if (status == COMMAND_OK && operands)
    status = session_address(session, operands, argv, &address);
  if (status == COMMAND_OK)
    status = output_open(session, options.output, options.force, &output);
  if (status != COMMAND_OK)
    return status;
  if (options.depth > DEPTH_MAX)
    options.depth = DEPTH_MAX;
  return output_close(
      session, &output,
      run(session, &options, operands ? &address : NULL, &output));
}
