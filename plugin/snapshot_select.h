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
      SELECT_TYPE_AND_SIZE_OPTIONS(owner, member),                             \
      SELECT_TRACKED_OPTIONS(owner, member),                                   \
      SELECT_ADDRESS_OPTIONS(owner, member)

/** For each object of SNAPSHOT whether it is meant; NULL when all are.
 * *KNOWN becomes false when no type is of that name or module.  free() it. */
bool *snapshot_select(const struct pyheap_snapshot *snapshot,
                      const struct select_options *options, bool *known);

#endif
