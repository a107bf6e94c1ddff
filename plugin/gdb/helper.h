/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The helper program, as seen from inside gdb.
 */
#ifndef MUPPY_GDB_HELPER_H
#define MUPPY_GDB_HELPER_H

#include <stdbool.h>

#include "plugin/protocol.h"

/** Makes the descriptors that muppy.gdb names.  Returns NULL, or why there are
 * none, in a static buffer. */
const char *helper_open_descriptors(void);
/** Closes them, which ends the helper too. */
void helper_close_descriptors(void);

/**
 * Makes sure that a helper is running and waits for requests.
 * @param program  the path of the program muppy.
 * @return NULL, or why there is none, in a static buffer.
 */
const char *helper_start(const char *program);
/** Ends it, whatever it is doing. */
void helper_stop(void);

/** The socket to talk over; -1 when no helper is running. */
int helper_socket(void);
/** WINDOW_BYTES of memory shared with the helper: window NUMBER, of WINDOWS. */
void *helper_window(unsigned number);
/** Sends a message.  False when the helper is gone. */
bool helper_send(const struct message *message);
/** The same with a descriptor, of which the helper gets a copy. */
bool helper_send_file(const struct message *message, int fd);

#endif
