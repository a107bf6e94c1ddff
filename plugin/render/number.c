/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/** strtoull() without its blanks and signs. */
static bool parse_digits(const char *string, int base, const char **end,
                         uint64_t *ret) {
  if (base == 16 ? !isxdigit((unsigned char)*string)
                 : !isdigit((unsigned char)*string))
    return false;
  errno = 0;
  unsigned long long value = strtoull(string, (char **)end, base);
  if (errno)
    return false;
  *ret = value;
  return true;
}

bool parse_count(const char *string, uint64_t *ret) {
  size_t length = strlen(string);
  const char *end;
  uint64_t value;

  if (length && strncmp(string, "unlimited", length) == 0) {
    *ret = UNLIMITED;
    return true;
  }
  if (!parse_digits(string, 10, &end, &value) || *end)
    return false;
  *ret = value ? value : UNLIMITED;
  return true;
}

/** The power of 1024 that UNIT names, or -1. */
static int unit_power(const char *unit) {
  static const char letters[] = "kmgtp";

  if (!*unit || strcasecmp(unit, "b") == 0)
    return 0;
  const char *found = strchr(letters, tolower((unsigned char)*unit));
  if (!found)
    return -1;
  unit++;
  if (*unit && strcasecmp(unit, "b") != 0 && strcasecmp(unit, "ib") != 0)
    return -1;
  return (int)(found - letters) + 1;
}

bool parse_size(const char *string, uint64_t *ret) {
  uint64_t whole, tenths = 0, scale = 1;
  const char *at;

  if (!parse_digits(string, 10, &at, &whole))
    return false;
  if (*at == '.') {
    /* More digits than these change nothing that a user could mean. */
    for (at++; isdigit((unsigned char)*at); at++)
      if (scale < 1000000) {
        tenths = tenths * 10 + (uint64_t)(*at - '0');
        scale *= 10;
      }
    if (scale == 1)
      return false;
  }
  int power = unit_power(at);
  if (power < 0 || (power == 0 && scale > 1))
    return false;
  uint64_t unit = UINT64_C(1) << (10 * power), bytes;
  if (__builtin_mul_overflow(whole, unit, &bytes))
    return false;
  /* In 128 bits, for a petabyte times a million leaves 64. */
  unsigned __int128 part = (unsigned __int128)tenths * unit / scale;
  if (__builtin_add_overflow(bytes, (uint64_t)part, &bytes))
    return false;
  *ret = bytes;
  return true;
}

bool parse_address(const char *string, uint64_t *ret) {
  const char *end;
  uint64_t value;
  bool hex = string[0] == '0' && (string[1] == 'x' || string[1] == 'X');

  if (!parse_digits(hex ? string + 2 : string, hex ? 16 : 10, &end, &value) ||
      *end)
    return false;
  *ret = value;
  return true;
}

/** The unit to show BYTES in, and hundredths of it, rounded. */
static const char *scale_size(uint64_t bytes, uint64_t *hundredths) {
  static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};

  for (unsigned i = 1;; i++) {
    uint64_t unit = UINT64_C(1) << (10 * i);
    /* Rounded half up; 128 bits, for bytes * 100 can leave 64. */
    *hundredths =
        (uint64_t)(((unsigned __int128)bytes * 100 + unit / 2) / unit);
    if (*hundredths < 102400 || i == 6)
      return units[i];
  }
}

const char *format_size(char buffer[SIZE_TEXT], uint64_t bytes) {
  uint64_t hundredths;

  if (bytes < 1024) {
    snprintf(buffer, SIZE_TEXT, "%4u     B", (unsigned)bytes);
    return buffer;
  }
  const char *unit = scale_size(bytes, &hundredths);
  snprintf(buffer, SIZE_TEXT, "%4u.%02u %s", (unsigned)(hundredths / 100),
           (unsigned)(hundredths % 100), unit);
  return buffer;
}

const char *format_size_short(char buffer[SIZE_TEXT], uint64_t bytes) {
  uint64_t hundredths;

  if (bytes < 1024) {
    snprintf(buffer, SIZE_TEXT, "%u B", (unsigned)bytes);
    return buffer;
  }
  const char *unit = scale_size(bytes, &hundredths);
  snprintf(buffer, SIZE_TEXT, "%u.%02u %s", (unsigned)(hundredths / 100),
           (unsigned)(hundredths % 100), unit);
  return buffer;
}

const char *format_change(char buffer[SIZE_TEXT], int64_t bytes) {
  uint64_t size = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
  char text[SIZE_TEXT];

  format_size(text, size);
  snprintf(buffer, SIZE_TEXT, "%s%.20s",
           bytes < 0 ? "-"
           : bytes   ? "+"
                     : "",
           text + strspn(text, " "));
  return buffer;
}

char *put_decimal(char *to, uint64_t value) {
  char digits[20];
  size_t count = 0;

  do
    digits[count++] = (char)('0' + value % 10);
  while (value /= 10);
  while (count)
    *to++ = digits[--count];
  return to;
}

char *put_hex(char *to, uint64_t value) {
  static const char digits[] = "0123456789abcdef";
  int shift = value ? (63 - __builtin_clzll(value)) & ~3 : 0;

  for (; shift >= 0; shift -= 4)
    *to++ = digits[(value >> shift) & 15];
  return to;
}
