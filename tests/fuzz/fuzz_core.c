/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One case, for run.c, and for libFuzzer, which builds with clang from this file,
 * damage.c, ask.c and the libraries:
 *
 *   make CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address'
 *   clang -fsanitize=fuzzer,address -I. tests/fuzz/{fuzz_core,damage,ask}.c \
 *     plugin/libmuppy.a pyheap/libpyheap.a -lbfd -lm -o fuzz
 *   MUPPY_FUZZ_CORE=core ./fuzz
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"

enum {
  MOST_EDITS = 4096
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct damage *damage;
  size_t count = size / sizeof(struct edit);
  const char *core = getenv("MUPPY_FUZZ_CORE");

  if (!damage && core)
    damage = damage_open(core);
  if (damage && !count)
    damage_restore(damage);
  if (!damage || !count || count > MOST_EDITS)
    return 0;
  struct edit *edits = calloc(count, sizeof *edits);
  if (!edits)
    return 0;
  memcpy(edits, data, count * sizeof *edits);
  damage_apply(damage, edits, count);
  const char *nonsense =
      ask_everything(damage_path(damage), edits[0].value + edits[0].pick,
                     damage_object_count(damage));
  damage_mend(damage);
  free(edits);
  if (nonsense) {
    fprintf(stderr, "damage: %s\n", nonsense);
    abort();
  }
  return 0;
}
