/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "identity_text.h"

#include <string.h>
#include <time.h>

static void add_version(struct buffer *text, uint32_t hexversion) {
  static const char levels[16] = {[0xa] = 'a', [0xb] = 'b', [0xc] = 'c'};
  char level = levels[hexversion >> 4 & 15];

  buffer_format(text, ", CPython %u.%u.%u", hexversion >> 24,
                hexversion >> 16 & 255, hexversion >> 8 & 255);
  if (level == 'c')
    buffer_format(text, "rc%u", hexversion & 15);
  else if (level)
    buffer_format(text, "%c%u", level, hexversion & 15);
}

static bool starts(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

struct span identity_add(struct buffer *text,
                         const struct pyheap_identity *identity) {
  time_t seconds = (time_t)(identity->taken / 1000000);
  struct tm local;
  struct span moment = {0};
  char when[64];

  if (identity->pid)
    buffer_format(text, "process %d", identity->pid);
  else
    buffer_add(text, "a process");
  add_version(text, identity->hexversion);
  buffer_add(text, identity->debug ? " debug" : "");
  buffer_add(text, identity->free_threaded ? " free-threaded" : "");
  if (!starts(identity->source, "process ")) {
    buffer_add(text, ", ");
    escape_add(text, identity->source);
  }
  if (identity->taken > 0 && localtime_r(&seconds, &local) &&
      strftime(when, sizeof when, "%F %T", &local)) {
    /* A core does not say when it was made, and its file may be a copy. */
    buffer_add(text,
               starts(identity->source, "core file ") ? ", file of " : ", ");
    moment.start = text->length;
    buffer_add(text, when);
    moment.end = text->length;
  }
  if (identity->incomplete)
    buffer_add(text, ", incomplete: memory was missing or damaged");
  return moment;
}
