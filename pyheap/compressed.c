/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "compressed.h"

#include <string.h>

/** What such files begin with: RFC 1952, RFC 8878, and the formats' own
 * descriptions. */
static const struct {
  const char *program;
  uint8_t length;
  uint8_t bytes[6];
} starts[] = {
    {"gzip", 2, {0x1f, 0x8b}},
    {"zstd", 4, {0x28, 0xb5, 0x2f, 0xfd}},
    {"xz", 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
    {"bzip2", 3, {'B', 'Z', 'h'}},
    {"lz4", 4, {0x04, 0x22, 0x4d, 0x18}},
};

const char *compressed_with(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
    if (count >= starts[i].length &&
        memcmp(bytes, starts[i].bytes, starts[i].length) == 0)
      return starts[i].program;
  return NULL;
}
