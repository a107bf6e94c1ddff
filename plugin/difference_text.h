/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What changed between two snapshots, as the commands diff and track diff tell
 * it.
 */
#ifndef MUPPY_DIFFERENCE_TEXT_H
#define MUPPY_DIFFERENCE_TEXT_H

#include "plugin/output.h"
#include "plugin/snapshot_select.h"
#include "pyheap/difference.h"

/** The struct of both commands. */
struct difference_options {
  bool objects;
  bool same;
  uint64_t limit;
  int sort;
  bool ascending;
  struct select_options select;
  const char *output;
  bool force;
};

#define DIFFERENCE_DEFAULTS                                                    \
  { .limit = 25, .select = SELECT_ALL }

#define DIFFERENCE_OPTIONS                                                     \
  {"objects", NULL, "List the objects that are new, gone, grown or shrunk.",   \
   OPTION_FLAG, offsetof(struct difference_options, objects)},                 \
      {"same", NULL,                                                           \
       "Take both for moments of one process though their process ids "        \
       "differ:\n"                                                             \
       "a child and what it was forked from, or two PID namespaces.",          \
       OPTION_FLAG, offsetof(struct difference_options, same)},                \
      {"limit", "N|unlimited", "Show N types, and N objects (default 25).",    \
       OPTION_COUNT, offsetof(struct difference_options, limit)},              \
      {"sort", "size|count|type|address",                                      \
       "What grew most first (default), by size or number, by name from A\n"   \
       "to Z, or objects by address.",                                         \
       OPTION_CHOICE, offsetof(struct difference_options, sort)},              \
      {"ascending", NULL, "What shrank most first.", OPTION_FLAG,              \
       offsetof(struct difference_options, ascending)},                        \
      SNAPSHOT_SELECT_OPTIONS(difference_options, select),                     \
      OUTPUT_OPTIONS(struct difference_options)

/** One of the two moments. */
struct difference_side {
  const char *name; /**< "before", or what the user calls it. */
  const struct pyheap_snapshot *snapshot;
  const struct pyheap *heap; /**< It is of this heap, which tells values; or
                                  NULL. */
};

/** Shows what changed.  COMMAND names the command in messages. */
enum command_status difference_show(struct session *session,
                                    const char *command,
                                    const struct difference_options *options,
                                    const struct difference_side *before,
                                    const struct difference_side *after,
                                    const struct output *output);

#endif
