/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * A whole small file in memory.
 */
#ifndef MUPPY_FILE_TEXT_H
#define MUPPY_FILE_TEXT_H

#include <stddef.h>

/** What FD holds from its start, at most LIMIT bytes, with a NUL behind;
 * free() it.  NULL when it cannot be read or holds more. */
char *file_text(int fd, size_t limit, size_t *length);
/** The same for a file of /proc or so, by path. */
char *file_text_at(const char *path, size_t limit, size_t *length);

#endif
