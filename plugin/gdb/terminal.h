/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * gdb's terminal, lent to the helper for as long as a command takes.
 *
 * The helper is in another session, so the terminal is not its controlling one
 * and no job control stops it there.  gdb waits meanwhile and touches nothing.
 */
#ifndef MUPPY_GDB_TERMINAL_H
#define MUPPY_GDB_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

#include "plugin/protocol.h"

struct terminal {
  bool full_screen; /**< gdb's text user interface has it. */
  bool lent;
  struct termios state;
  char restore[sizeof((struct message *)0)->text];
};

/** Looks who has the terminal. */
void terminal_begin(struct terminal *terminal);
/** Makes ready to lend TERMINAL_FD.  RESTORE is what brings the screen back.
 * Returns NULL, or why there is none to lend. */
const char *terminal_lend(struct terminal *terminal, const char *restore);
/** Ends the lending.  Not CLEAN: the helper left the screen as it was.  False
 * when it was not lent. */
bool terminal_take_back(struct terminal *terminal, bool clean);

enum {
  TERMINAL_FD = 0 /**< Standard input: where gdb reads its commands from. */
};

#endif
