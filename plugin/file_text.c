/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "plugin/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/** Reads on at *LENGTH until the end of the file or until ROOM is full.  False
 * when reading fails. */
static bool fill(int fd, char *text, size_t *length, size_t room) {
  while (*length < room) {
    ssize_t got = pread(fd, text + *length, room - *length, (off_t)*length);

    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return false;
    if (got == 0)
      return true;
    *length += (size_t)got;
  }
  return true;
}

char *file_text(int fd, size_t limit, size_t *length) {
  char *text = NULL;
  size_t used = 0;

  for (size_t room = 4096;; room *= 2) {
    char *larger = realloc(text, room + 1);
    if (!larger)
      break;
    text = larger;
    if (!fill(fd, text, &used, room) || used > limit)
      break;
    if (used < room) {
      text[used] = '\0';
      *length = used;
      return text;
    }
  }
  free(text);
  return NULL;
}

char *file_text_at(const char *path, size_t limit, size_t *length) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return NULL;
  char *text = file_text(fd, limit, length);
  close(fd);
  return text;
}
