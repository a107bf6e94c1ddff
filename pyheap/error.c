/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct pyheap_error error_no_memory = {
    .code = PYHEAP_ERROR_NO_MEMORY,
    .message = "out of memory",
};

struct pyheap_error *error_create(enum pyheap_error_code code, uint64_t address,
                                  const char *format, ...) {
  va_list arguments;
  char *message = NULL;

  va_start(arguments, format);
  int length = vasprintf(&message, format, arguments);
  va_end(arguments);
  if (length < 0)
    return &error_no_memory;
  struct pyheap_error *error = malloc(sizeof *error);
  if (!error) {
    free(message);
    return &error_no_memory;
  }
  *error = (struct pyheap_error){code, address, message};
  return error;
}

struct pyheap_error *error_os(int error_number, const char *what) {
  char buffer[128];
  return error_create(PYHEAP_ERROR_OS, 0, "%s: %s", what,
                      strerror_r(error_number, buffer, sizeof buffer));
}

void pyheap_error_destroy(struct pyheap_error *error) {
  if (!error || error == &error_no_memory)
    return;
  free((char *)error->message);
  free(error);
}

void cleanup_close_(int *fd) {
  if (*fd >= 0)
    close(*fd);
}
