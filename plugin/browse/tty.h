/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * A terminal in full-screen use, and how it is left again, whatever happens.
 */
#ifndef MUPPY_BROWSE_TTY_H
#define MUPPY_BROWSE_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/command.h"

/** What tty_key() returns besides characters and the KEY_* of curses, all of
 * which are positive. */
enum {
  TTY_CANCELED = -1, /**< The command is asked to stop. */
  TTY_LOST = -2,     /**< The terminal is gone. */
  TTY_RESIZED = -3,
};

struct tty;

/** Why the terminal that TERM names cannot be filled, or NULL; else RESTORE is
 * what leaves the full screen. */
const char *tty_check(char restore[TERMINAL_RESTORE]);

/** Takes the terminal at FD, which is closed when that is over.  NULL when
 * curses cannot. */
struct tty *tty_create(int fd, const char *restore,
                       const struct command_terminal *terminal);
void tty_destroy(struct tty *tty);

/** Whether it shows more than ASCII. */
bool tty_is_unicode(const struct tty *tty);
/** The next key, after at most MILLISECONDS (-1: any time): a character, a KEY_*
 * shifted up by TTY_FUNCTION, or what is above; 0: none came. */
int32_t tty_key(struct tty *tty, int milliseconds);
/** Whether keys wait. */
bool tty_has_input(struct tty *tty);
/** Stops this process, as Ctrl-Z does, and takes the screen again afterwards.
 * False where it must not be stopped. */
bool tty_stop(struct tty *tty);

/** KEY_* of curses begin here, apart from the characters. */
enum {
  TTY_FUNCTION = 1 << 24
};
#define TTY_KEY(key) (TTY_FUNCTION + (key))

#endif
