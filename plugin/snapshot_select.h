/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The options of select.h for what is left of objects in a snapshot: columns,
 * no lengths and no generations.
 */
#ifndef MUPPY_SNAPSHOT_SELECT_H
#define MUPPY_SNAPSHOT_SELECT_H

#include "plugin/select.h"
#include "pyheap/snapshot.h"

/** The rows of these options; MEMBER is the struct select_options of OWNER. */
#define SNAPSHOT_SELECT_OPTIONS(owner, member)                                 \
  SELECT_TYPE_OPTION(owner, member),                                           \
      {"exact", NULL, "Leave out the objects of subclasses.", OPTION_FLAG,     \
       offsetof(struct owner, member.exact)},                                  \
      {"module", "NAME",                                                       \
       "Objects whose type is of the module NAME, or of a module in the\n"     \
       "package NAME.",                                                        \
       OPTION_TEXT, offsetof(struct owner, member.module)},                    \
      {"min", "SIZE", "Objects of SIZE bytes or more: 512, 1k, 2M.",           \
       OPTION_SIZE, offsetof(struct owner, member.min_size)},                  \
      {"max", "SIZE", "Objects of SIZE bytes or less.", OPTION_SIZE,           \
       offsetof(struct owner, member.max_size)},                               \
      {"tracked", NULL,                                                        \
       "Only what the garbage collector tracks: no strings, numbers, ….",      \
       OPTION_FLAG, offsetof(struct owner, member.tracked)},                   \
      {"untracked", NULL, "Only what the garbage collector does not track.",   \
       OPTION_FLAG, offsetof(struct owner, member.untracked)},                 \
      {"from", "ADDRESS", "Objects at ADDRESS or above.", OPTION_TEXT,         \
       offsetof(struct owner, member.from)},                                   \
  {                                                                            \
    "to", "ADDRESS|+LENGTH",                                                   \
        "Objects below ADDRESS, or in LENGTH bytes behind that of -from.",     \
        OPTION_TEXT, offsetof(struct owner, member.to)                         \
  }

/** For each object of SNAPSHOT whether it is meant; NULL when all are.
 * *KNOWN becomes false when no type is of that name or module.  free() it. */
bool *snapshot_select(const struct pyheap_snapshot *snapshot,
                      const struct select_options *options, bool *known);

#endif
