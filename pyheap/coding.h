/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Numbers in few bytes, and checksums: what files of the library's own are
 * made of.  doc/snapshot-format.md describes both.
 */
#ifndef PYHEAP_CODING_H
#define PYHEAP_CODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
  VARINT_MAX = 10, /**< Bytes of the longest varint. */
};

/** CRC-32C (Castagnoli) of LENGTH bytes that follow those which SUM is of; 0
 * for the first. */
uint32_t crc32c(uint32_t sum, const void *bytes, size_t length);

/** Seven bits a byte, the lowest first; the top bit says that more follow.
 * Returns what follows; there must be room for VARINT_MAX bytes. */
static inline uint8_t *put_varint(uint8_t *to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = (uint8_t)(value | 0x80);
    value >>= 7;
  }
  *to++ = (uint8_t)value;
  return to;
}

/** Small numbers of either sign become small ones. */
static inline uint64_t zigzag(int64_t value) {
  return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}
static inline int64_t unzigzag(uint64_t value) {
  return (int64_t)(value >> 1 ^ -(value & 1));
}

/** What is left to read of a piece of a file.  After the first number that was
 * not there or made no sense it is `bad`, and all that is read is 0. */
struct source {
  const uint8_t *at, *end;
  bool bad;
};

static inline size_t source_left(const struct source *source) {
  return (size_t)(source->end - source->at);
}

/** COUNT bytes, or NULL. */
static inline const uint8_t *get_bytes(struct source *source, uint64_t count) {
  if (count > source_left(source))
    source->bad = true;
  if (source->bad)
    return NULL;
  const uint8_t *bytes = source->at;
  source->at += count;
  return bytes;
}

static inline uint64_t get_varint(struct source *source) {
  uint64_t value = 0;

  for (unsigned shift = 0; shift < 64 && source->at < source->end; shift += 7) {
    uint8_t byte = *source->at++;
    /* The tenth byte has room for one bit. */
    if (shift == 63 && byte > 1)
      break;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80)
      return source->bad ? 0 : value;
  }
  source->bad = true;
  return 0;
}

/** The same; a number above MOST makes no sense. */
static inline uint64_t get_limited(struct source *source, uint64_t most) {
  uint64_t value = get_varint(source);

  if (value > most)
    source->bad = true;
  return source->bad ? 0 : value;
}

/* Numbers of fixed width, little-endian. */

static inline void put_u32(uint8_t *to, uint32_t value) {
  for (unsigned i = 0; i < 4; i++)
    to[i] = (uint8_t)(value >> 8 * i);
}
static inline void put_u64(uint8_t *to, uint64_t value) {
  for (unsigned i = 0; i < 8; i++)
    to[i] = (uint8_t)(value >> 8 * i);
}
static inline uint32_t get_u32(const uint8_t *from) {
  uint32_t value = 0;
  for (unsigned i = 0; i < 4; i++)
    value |= (uint32_t)from[i] << 8 * i;
  return value;
}
static inline uint64_t get_u64(const uint8_t *from) {
  return get_u32(from) | (uint64_t)get_u32(from + 4) << 32;
}

#endif
