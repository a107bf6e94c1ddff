/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Numbers as users write and read them.
 */
#ifndef MUPPY_NUMBER_H
#define MUPPY_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** "Everything", as a count. */
#define UNLIMITED UINT64_MAX

/** All of these want the whole string and leave *RET alone on failure. */

/** "25", or "unlimited" (any start of it), or 0, which is UNLIMITED too as in
 * gdb's own settings. */
bool parse_count(const char *string, uint64_t *ret);
/** Bytes: "512", "1k", "2M", "1g", "1.5G"; a unit is 1024 of the one below and
 * may end in "B" or "iB". */
bool parse_size(const char *string, uint64_t *ret);
/** "0x7f3c5a2b1c40" or "139897262644288". */
bool parse_address(const char *string, uint64_t *ret);

/** Room for any formatted size. */
#define SIZE_TEXT 24
/** "  12     B", " 953.30 KB": ten columns, so that a column of them aligns at
 * the point and the unit.  1024 of a unit are always one of the next.
 * Returns BUFFER. */
const char *format_size(char buffer[SIZE_TEXT], uint64_t bytes);
/** The same for running text: "12 B", "953.30 KB". */
const char *format_size_short(char buffer[SIZE_TEXT], uint64_t bytes);

/** How much more or less: "+12     B", "-953.30 KB", "0     B"; a column of them
 * aligns, too, when it is aligned right. */
const char *format_change(char buffer[SIZE_TEXT], int64_t bytes);

/** The digits of VALUE at TO, not terminated; returns their end.  At most 20,
 * and 16 in hexadecimal. */
char *put_decimal(char *to, uint64_t value);
char *put_hex(char *to, uint64_t value);

#endif
