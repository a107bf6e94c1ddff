/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Objects that are selected, listed or counted: the commands objects and
 * filter.
 */
#ifndef MUPPY_OBJECT_LIST_H
#define MUPPY_OBJECT_LIST_H

#include "plugin/output.h"
#include "plugin/select.h"

struct object_list {
  struct select_options select;
  int sort; /**< enum pyheap_order, or OBJECT_LIST_SORT. */
  bool ascending;
  uint64_t limit; /**< 0: as many as are usual. */
  bool count, addresses;
  const char *output;
  bool force;
};

enum {
  OBJECT_LIST_SORT = -1, /**< As is usual: by size. */
};

#define OBJECT_LIST                                                            \
  { .select = SELECT_ALL, .sort = OBJECT_LIST_SORT }

/** The rows of a command whose struct begins with a struct object_list. */
#define OBJECT_LIST_OPTIONS                                                    \
  SELECT_OPTIONS(object_list, select),                                         \
      {"sort", "size|address|refcount|length|type",                            \
       "Largest first (default), by address, most referred to first, "         \
       "longest\n"                                                             \
       "first, or by the type's name from A to Z.",                            \
       OPTION_CHOICE, offsetof(struct object_list, sort)},                     \
      {"ascending", NULL, "Smallest, least referred to or shortest first.",    \
       OPTION_FLAG, offsetof(struct object_list, ascending)},                  \
      {"limit", "N|unlimited",                                                 \
       "Show N objects (default 25; all with -addresses).", OPTION_COUNT,      \
       offsetof(struct object_list, limit)},                                   \
      {"count", NULL, "Tell only how many there are and what they weigh.",     \
       OPTION_FLAG, offsetof(struct object_list, count)},                      \
      {"addresses", NULL,                                                      \
       "Only addresses, one a line, the lowest first unless -sort is given.",  \
       OPTION_FLAG, offsetof(struct object_list, addresses)},                  \
      OUTPUT_OPTIONS(struct object_list)

/** Checks the options, opens the output, answers.  COMMAND names the command in
 * messages. */
enum command_status object_list_run(struct session *session,
                                    const char *command,
                                    struct object_list *list);

#endif
