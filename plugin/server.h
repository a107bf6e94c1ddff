/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The helper's side of the talk with gdb: see protocol.h.
 */
#ifndef MUPPY_SERVER_H
#define MUPPY_SERVER_H

#include "plugin/command.h"

/**
 * Leaves a process behind that serves gdb over SOCKET and the descriptors next
 * to it (enum helper_descriptor) until gdb closes its end, and returns.
 * @return 0, or 1 when there can be no such process.
 */
int server_main(int socket, struct session *session);

#endif
