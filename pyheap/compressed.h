/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that somebody compressed. */
#ifndef PYHEAP_COMPRESSED_H
#define PYHEAP_COMPRESSED_H

#include <stddef.h>
#include <stdint.h>

/** The program that a file which begins with the COUNT BYTES was compressed with,
 * as "gzip"; NULL: none that is known. */
const char *compressed_with(const uint8_t *bytes, size_t count);

#endif
