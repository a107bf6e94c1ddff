/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "coding.h"

#include <pthread.h>

/** tables[0] is that of the polynomial 0x1edc6f41, mirrored; tables[k] is what k
 * zero bytes more make of it, so that eight bytes are taken at a time. */
static uint32_t tables[8][256];

static void make_tables(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t sum = byte;
    for (unsigned bit = 0; bit < 8; bit++)
      sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
    tables[0][byte] = sum;
  }
  for (unsigned k = 1; k < 8; k++)
    for (uint32_t byte = 0; byte < 256; byte++)
      tables[k][byte] =
          tables[k - 1][byte] >> 8 ^ tables[0][tables[k - 1][byte] & 0xff];
}

uint32_t crc32c(uint32_t sum, const void *bytes, size_t length) {
  static pthread_once_t made = PTHREAD_ONCE_INIT;
  const uint8_t *at = bytes;

  pthread_once(&made, make_tables);
  sum = ~sum;
  for (; length >= 8; at += 8, length -= 8) {
    uint32_t low = get_u32(at) ^ sum, high = get_u32(at + 4);
    sum = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^
          tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
          tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^
          tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
  }
  for (; length; at++, length--)
    sum = sum >> 8 ^ tables[0][(sum ^ *at) & 0xff];
  return ~sum;
}
