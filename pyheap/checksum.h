/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * A sum of 64 bits over bytes, to tell damage: quick, and no protection from who
 * wants to deceive.  doc/index-format.md describes it.
 */
#ifndef PYHEAP_CHECKSUM_H
#define PYHEAP_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHECKSUM_PRIME 0x9e3779b97f4a7c15ull

static inline uint64_t checksum_mix(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * CHECKSUM_PRIME;
  return sum ^ sum >> 32;
}

/** Eight sums next to each other, each over every eighth word, so that the
 * processor need not wait for one multiplication to begin the next; then one
 * over these, over what is left, and over LENGTH. */
static inline uint64_t checksum(const void *bytes, size_t length) {
  enum {
    LANES = 8,
    STEP = 8 * LANES
  };
  const uint8_t *at = bytes;
  uint64_t lanes[LANES], words[LANES], sum = 0;
  size_t left = length;

  for (unsigned i = 0; i < LANES; i++)
    lanes[i] = i;
  for (; left >= STEP; left -= STEP, at += STEP) {
    memcpy(words, at, STEP);
    for (unsigned i = 0; i < LANES; i++)
      lanes[i] = checksum_mix(lanes[i], words[i]);
  }
  for (unsigned i = 0; i < LANES; i++)
    sum = checksum_mix(sum, lanes[i]);
  memset(words, 0, sizeof words);
  if (left)
    memcpy(words, at, left);
  for (unsigned i = 0; i < LANES; i++)
    sum = checksum_mix(sum, words[i]);
  return checksum_mix(sum, length);
}

#endif
