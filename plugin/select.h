/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Which objects a command is about: the same options everywhere.
 *
 * A command with objects embeds `struct select_options` in its struct, sets it
 * to SELECT_ALL, and SELECT_OPTIONS in its table.  It then calls
 *
 *     options_parse(…), select_check(…)      before it opens a file,
 *     select_objects(session, &select, &selection, &status)
 *
 * and asks pyheap_is_selected() or walks with SELECT_EACH.
 */
#ifndef MUPPY_SELECT_H
#define MUPPY_SELECT_H

#include "plugin/command.h"

struct select_options {
  const char *type; /**< A name with wildcards, or NULL. */
  bool exact;
  const char *module;
  uint64_t min_size, max_size;
  uint64_t min_length, max_length;
  uint64_t min_refcount, max_refcount;
  int generation;          /**< enum select_generation */
  const char *interpreter; /**< An id, "shared", "unknown", or NULL. */
  bool tracked, untracked, orphans, immortal;
  const char *from, *to;             /**< Addresses as the user wrote them. */
  uint64_t from_address, to_address; /**< Set by select_check(); the second is
                                          the last one that is meant. */
};

/** The words of -generation. */
enum select_generation {
  SELECT_ANY_GENERATION,
  SELECT_GENERATION_0,
  SELECT_GENERATION_1,
  SELECT_GENERATION_2,
  SELECT_PERMANENT,
};

#define SELECT_ALL                                                             \
  {                                                                            \
    .max_size = UINT64_MAX, .max_length = UINT64_MAX,                          \
    .max_refcount = UINT64_MAX, .to_address = UINT64_MAX                       \
  }

/* What the rows of options share; MEMBER is the struct select_options of OWNER. */

/** Of the type, and of the size. */
#define SELECT_TYPE_AND_SIZE_OPTIONS(owner, member)                            \
  {"exact", NULL, "Leave out the objects of subclasses.", OPTION_FLAG,         \
   offsetof(struct owner, member.exact)},                                      \
      {"module", "NAME",                                                       \
       "Objects whose type is of the module NAME, or of a module in the\n"     \
       "package NAME.",                                                        \
       OPTION_TEXT, offsetof(struct owner, member.module)},                    \
      {"min", "SIZE", "Objects of SIZE bytes or more: 512, 1k, 2M.",           \
       OPTION_SIZE, offsetof(struct owner, member.min_size)},                  \
  {                                                                            \
    "max", "SIZE", "Objects of SIZE bytes or less.", OPTION_SIZE,              \
        offsetof(struct owner, member.max_size)                                \
  }

#define SELECT_TRACKED_OPTIONS(owner, member)                                  \
  {"tracked", NULL,                                                            \
   "Only what the garbage collector tracks: no strings, numbers, ….",          \
   OPTION_FLAG, offsetof(struct owner, member.tracked)},                       \
  {                                                                            \
    "untracked", NULL, "Only what the garbage collector does not track.",      \
        OPTION_FLAG, offsetof(struct owner, member.untracked)                  \
  }

#define SELECT_ADDRESS_OPTIONS(owner, member)                                  \
  {"from", "ADDRESS", "Objects at ADDRESS or above.", OPTION_TEXT,             \
   offsetof(struct owner, member.from)},                                       \
  {                                                                            \
    "to", "ADDRESS|+LENGTH",                                                   \
        "Objects below ADDRESS, or in LENGTH bytes behind that of -from.",     \
        OPTION_TEXT, offsetof(struct owner, member.to)                         \
  }

/** The rows of all these options but -type, which a command with the operand
 * TYPE leaves out. */
#define SELECT_OPTIONS(owner, member)                                          \
  SELECT_TYPE_AND_SIZE_OPTIONS(owner, member),                                 \
      {"min-length", "N", "Objects of which len() is N or more.",              \
       OPTION_NUMBER, offsetof(struct owner, member.min_length)},              \
      {"max-length", "N", "Objects of which len() is N or less.",              \
       OPTION_NUMBER, offsetof(struct owner, member.max_length)},              \
      {"min-refcount", "N",                                                    \
       "Objects with a reference count of N or more; what is immortal has "    \
       "none.",                                                                \
       OPTION_NUMBER, offsetof(struct owner, member.min_refcount)},            \
      {"max-refcount", "N", "Objects with a reference count of N or less.",    \
       OPTION_NUMBER, offsetof(struct owner, member.max_refcount)},            \
      {"generation", "any|0|1|2|permanent",                                    \
       "Objects of that generation of the garbage collector.", OPTION_CHOICE,  \
       offsetof(struct owner, member.generation)},                             \
      {"interpreter", "ID|shared|unknown",                                     \
       "Objects of one interpreter, of several (or static), or of which "      \
       "nothing\n"                                                             \
       "tells.",                                                               \
       OPTION_TEXT, offsetof(struct owner, member.interpreter)},               \
      SELECT_TRACKED_OPTIONS(owner, member),                                   \
      {"orphans", NULL,                                                        \
       "Only objects in memory that the allocator holds as in use and\n"       \
       "that nothing was found to lead to.",                                   \
       OPTION_FLAG, offsetof(struct owner, member.orphans)},                   \
      {"immortal", NULL, "Only objects that are never freed (from 3.12 on).",  \
       OPTION_FLAG, offsetof(struct owner, member.immortal)},                  \
      SELECT_ADDRESS_OPTIONS(owner, member)

/** The row of -type, for those that have no operand TYPE. */
#define SELECT_TYPE_OPTION(owner, member)                                      \
  {                                                                            \
    "type", "TYPE",                                                            \
        "Objects of TYPE and its subclasses: a name with or without what\n"    \
        "comes before its dots, in which * and ? stand for any text.",         \
        OPTION_TEXT, offsetof(struct owner, member.type)                       \
  }

/** Whether anything is selected: without, all reachable objects are meant. */
bool select_is_given(const struct select_options *options);
/** Whether all is selected that the collector tracks, and by nothing else. */
bool select_is_tracked(const struct select_options *options);
/** Refuses what contradicts itself, and finds out addresses.  COMMAND names the
 * command in messages. */
enum command_status select_check(struct session *session, const char *command,
                                 struct select_options *options);
/**
 * The objects that are meant; the heap that they are of is returned (as
 * session_objects() does), NULL with *STATUS set and the session's message.
 * A type or module that there is none of is a failure that names the nearest.
 * @param[out] ret pyheap_selection_deinit() it; valid while nobody looks for
 * orphans in this heap (session_references() does: call that first).
 */
struct pyheap *select_objects(struct session *session,
                              const struct select_options *options,
                              struct pyheap_selection *ret,
                              enum command_status *status);

#define SELECT_EACH(selection, node)                                           \
  for (pyheap_node node = pyheap_next_selected((selection), 0);                \
       node != PYHEAP_NO_NODE;                                                 \
       node = pyheap_next_selected((selection), node + 1))

#endif
