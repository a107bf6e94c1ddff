/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int must_status = 1;

void *must_realloc(void *old, size_t size) {
  void *memory = realloc(old, size ? size : 1);

  if (memory)
    return memory;
  fputs("muppy: out of memory\n", stderr);
  exit(must_status);
}

void *must_alloc(size_t size) {
  return must_realloc(NULL, size);
}

char *must_copy(const char *string) {
  size_t size = strlen(string) + 1;

  return memcpy(must_alloc(size), string, size);
}

void buffer_deinit(struct buffer *text) {
  free(text->bytes);
  *text = (struct buffer){0};
}

void buffer_clear(struct buffer *text) {
  buffer_truncate(text, 0);
}

void buffer_truncate(struct buffer *text, size_t length) {
  if (length >= text->length)
    return;
  text->length = length;
  text->bytes[length] = '\0';
}

/** Room for EXTRA more bytes and the NUL. */
static void reserve(struct buffer *text, size_t extra) {
  size_t needed = text->length + extra + 1;

  if (needed <= text->capacity)
    return;
  size_t capacity = text->capacity ? text->capacity : 64;
  while (capacity < needed)
    capacity *= 2;
  text->bytes = must_realloc(text->bytes, capacity);
  text->capacity = capacity;
}

void buffer_append(struct buffer *text, const char *bytes, size_t length) {
  if (!length)
    return;
  reserve(text, length);
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = '\0';
}

void buffer_add(struct buffer *text, const char *string) {
  buffer_append(text, string, strlen(string));
}

void buffer_fill(struct buffer *text, char byte, size_t count) {
  reserve(text, count);
  memset(text->bytes + text->length, byte, count);
  text->length += count;
  text->bytes[text->length] = '\0';
}

void buffer_format(struct buffer *text, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (length <= 0)
    return;
  reserve(text, (size_t)length);
  va_start(arguments, format);
  vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
  va_end(arguments);
  text->length += (size_t)length;
}

const char *buffer_string(const struct buffer *text) {
  return text->bytes ? text->bytes : "";
}

char *buffer_take(struct buffer *text) {
  reserve(text, 0);
  text->bytes[text->length] = '\0';
  char *bytes = text->bytes;
  *text = (struct buffer){0};
  return bytes;
}
