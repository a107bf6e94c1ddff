/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * A string that grows.  What is rendered is small, so running out of memory
 * here ends the program with a line that says so; nothing needs to check.
 */
#ifndef MUPPY_BUFFER_H
#define MUPPY_BUFFER_H

#include <stddef.h>

/** The exit status of a program that ran out of memory; 1 unless changed. */
extern int must_status;

/** malloc(), realloc() and strdup() that never return NULL. */
__attribute__((malloc, returns_nonnull)) void *must_alloc(size_t size);
__attribute__((returns_nonnull)) void *must_realloc(void *old, size_t size);
__attribute__((malloc, returns_nonnull)) char *must_copy(const char *string);

/** Zero-initialised it is the empty string.  `bytes` ends in a NUL as soon as
 * anything was added; read it with buffer_string(). */
struct buffer {
  char *bytes;
  size_t length;
  size_t capacity;
};

void buffer_deinit(struct buffer *text);
/** Empties it and keeps its memory. */
void buffer_clear(struct buffer *text);
/** Cuts it to its first LENGTH bytes. */
void buffer_truncate(struct buffer *text, size_t length);
void buffer_append(struct buffer *text, const char *bytes, size_t length);
void buffer_add(struct buffer *text, const char *string);
void buffer_fill(struct buffer *text, char byte, size_t count);
__attribute__((format(printf, 2, 3))) void
buffer_format(struct buffer *text, const char *format, ...);
/** The string; "" when nothing was added. */
const char *buffer_string(const struct buffer *text);
/** The string, to be freed by the caller; the text is empty afterwards. */
__attribute__((returns_nonnull)) char *buffer_take(struct buffer *text);

#define cleanup_buffer __attribute__((cleanup(buffer_deinit)))

#endif
