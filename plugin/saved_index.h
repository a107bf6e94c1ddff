/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Where the saved index of a core file is, and using it.
 */
#ifndef MUPPY_SAVED_INDEX_H
#define MUPPY_SAVED_INDEX_H

#include "plugin/command.h"

enum saved_index_place {
  SAVED_BESIDE, /**< Next to the core file: CORE.muppy-index */
  SAVED_CACHE,  /**< In the user's cache folder (XDG), by what the core is. */
};

/** Loads the index of the heap just opened, where one was saved.  Says so when it
 * cannot be used. */
void saved_index_load(struct session *session);
/** Saves it, and says where. */
enum command_status saved_index_save(struct session *session,
                                     enum saved_index_place place, FILE *out);

#endif
