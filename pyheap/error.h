/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Making errors, and cleaning up on the way out.
 */
#ifndef PYHEAP_ERROR_H
#define PYHEAP_ERROR_H

#include <stdlib.h>

#include "pyheap.h"

/** An error about ADDRESS (0: none) with a printf-like message.  Never NULL:
 * without memory for it, it is the static out-of-memory error. */
__attribute__((format(printf, 3, 4), returns_nonnull)) struct pyheap_error *
error_create(enum pyheap_error_code code, uint64_t address, const char *format,
             ...);
/** "WHAT: strerror(ERROR_NUMBER)", with the code PYHEAP_ERROR_OS. */
__attribute__((returns_nonnull)) struct pyheap_error *
error_os(int error_number, const char *what);

extern struct pyheap_error error_no_memory;

static inline void cleanup_free_(void *pointer) {
  free(*(void **)pointer);
}
void cleanup_close_(int *fd);

/** Frees, or closes, the variable when it goes out of scope. */
#define cleanup_free __attribute__((cleanup(cleanup_free_)))
#define cleanup_close __attribute__((cleanup(cleanup_close_)))

/** Takes the value out of a variable so that its cleanup leaves it alone. */
#define take(variable)                                                         \
  __extension__({                                                              \
    __auto_type taken_ = (variable);                                           \
    (variable) = NULL;                                                         \
    taken_;                                                                    \
  })

/** Returns from the calling function when EXPRESSION is an error. */
#define TRY(expression)                                                        \
  do {                                                                         \
    struct pyheap_error *try_error_ = (expression);                            \
    if (try_error_)                                                            \
      return try_error_;                                                       \
  } while (0)

#endif
