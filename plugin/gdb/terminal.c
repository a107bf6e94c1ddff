/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "plugin/gdb/terminal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ELSEWHERE                                                              \
  "; muppy --core=FILE or --pid=PID browse is the same in a shell"

/** Curses turns off both; a terminal without echo alone may be an editor's. */
void terminal_begin(struct terminal *terminal) {
  struct termios state;

  terminal->full_screen =
      tcgetattr(TERMINAL_FD, &state) == 0 && !(state.c_lflag & (ECHO | ICANON));
}

static bool is_mi_name(const char *name) {
  return strncmp(name, "mi", 2) == 0;
}

/** Whether gdb was started for a program that talks MI to it, maybe over a
 * terminal that nobody sees: "-i=mi", "--interpreter mi2" and so on. */
static bool speaks_mi(void) {
  char line[4096];
  bool name_follows = false;
  int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

  if (fd >= 0)
    close(fd);
  if (length < 0)
    return false;
  line[length] = '\0';
  for (const char *at = line; at < line + length; at += strlen(at) + 1) {
    const char *option = at + strspn(at, "-");
    const char *value = strchr(option, '=');
    size_t name = value ? (size_t)(value - option) : strlen(option);

    if (name_follows && is_mi_name(at))
      return true;
    bool names = option > at && name &&
                 strncmp(option, "interpreter", name) == 0 &&
                 (name == 1 || name >= 3);
    if (names && value && is_mi_name(value + 1))
      return true;
    name_follows = names && !value;
  }
  return false;
}

const char *terminal_lend(struct terminal *terminal, const char *restore) {
  if (speaks_mi())
    return "gdb is run by another program (MI) and has no terminal to "
           "fill" ELSEWHERE;
  if (!isatty(TERMINAL_FD) || !isatty(STDOUT_FILENO))
    return "gdb's input or output is no terminal" ELSEWHERE;
  if ((fcntl(TERMINAL_FD, F_GETFL) & O_ACCMODE) != O_RDWR)
    return "gdb's input is a terminal that cannot be written to" ELSEWHERE;
  pid_t foreground = tcgetpgrp(TERMINAL_FD);
  if (foreground >= 0 && foreground != getpgrp())
    return "gdb runs in the background of its terminal" ELSEWHERE;
  if (tcgetattr(TERMINAL_FD, &terminal->state) != 0)
    return "gdb's terminal cannot be controlled" ELSEWHERE;
  memcpy(terminal->restore, restore, sizeof terminal->restore);
  terminal->restore[sizeof terminal->restore - 1] = '\0';
  terminal->lent = true;
  return NULL;
}

bool terminal_take_back(struct terminal *terminal, bool clean) {
  if (!terminal->lent)
    return false;
  terminal->lent = false;
  if (!clean) {
    const char *text = terminal->restore;
    for (size_t left = strlen(text); left;) {
      ssize_t written = write(TERMINAL_FD, text, left);
      if (written <= 0)
        break;
      text += written;
      left -= (size_t)written;
    }
  }
  tcsetattr(TERMINAL_FD, TCSADRAIN, &terminal->state);
  return true;
}
