/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "plugin/gdb/progress.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/** Under gdb's text user interface the screen is curses', which turns echo off;
 * a line of ours would break it. */
static bool terminal_is_ours(void) {
  struct termios state;

  return isatty(STDERR_FILENO) && tcgetattr(STDERR_FILENO, &state) == 0 &&
         (state.c_lflag & ECHO) && tcgetpgrp(STDERR_FILENO) == getpgrp();
}

void progress_begin(struct progress *progress) {
  progress->allowed = terminal_is_ours();
  progress->columns = 0;
  clock_gettime(CLOCK_MONOTONIC, &progress->started);
}

static bool is_due(const struct progress *progress) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  time_t seconds = now.tv_sec - progress->started.tv_sec;
  return seconds > 1 ||
         (seconds == 1 && now.tv_nsec >= progress->started.tv_nsec);
}

static void show_line(struct progress *progress, const char *text) {
  int columns = (int)strlen(text);

  /* Two more, for the ^C that the terminal may have written behind it. */
  fprintf(stderr, "\r%-*s\r%s", progress->columns + 2, "", text);
  fflush(stderr);
  progress->columns = columns;
}

void progress_show(struct progress *progress, const char *stage, uint64_t done,
                   uint64_t total) {
  char line[80];

  if (!progress->allowed || !is_due(progress))
    return;
  if (!*stage)
    line[0] = '\0';
  else if (total && done <= total)
    snprintf(line, sizeof line, "muppy: %.50s %d %%", stage,
             (int)((double)done / (double)total * 100));
  else
    snprintf(line, sizeof line, "muppy: %.50s …", stage);
  show_line(progress, line);
}

void progress_end(struct progress *progress) {
  if (progress->columns == 0)
    return;
  show_line(progress, "");
}
