/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What gdb asks the helper: a command and its arguments.
 */
#ifndef MUPPY_REQUEST_H
#define MUPPY_REQUEST_H

#include <stdbool.h>

struct request {
  char *bytes;
  char **argv; /**< The command and its arguments, NULL behind them. */
  int argc;
  int width; /**< Columns of gdb's screen; 0: unlimited. */
};

/** Reads the items in the file FD.  False when they make no sense or memory is
 * short; the request is then empty. */
bool request_init(struct request *request, int fd);
void request_deinit(struct request *request);

#endif
