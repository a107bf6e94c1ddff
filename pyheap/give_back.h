/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Gives free memory back to the system.
 */
#ifndef PYHEAP_GIVE_BACK_H
#define PYHEAP_GIVE_BACK_H

#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/** After much was freed in pieces that are each too small for a mapping of their
 * own: a debugger's helper waits for hours with what it has.  glibc keeps such
 * pieces, above all those of threads that have ended; others need not be told. */
static inline void give_back_freed(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

#endif
