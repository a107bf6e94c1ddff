/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks of memory have one owner or none. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pyheap/block_owners.h"

static void one_owner_or_none(void **state) {
  struct block_owner *owners = block_owners_create();

  (void)state;
  assert_non_null(owners);
  for (int again = 0; again < 2; again++)
    for (uint64_t i = 1; i < 1000; i++)
      assert_int_equal(block_owners_note(owners, 4096 * i, 64 * i), BLOCK_OWN);
  /* Another object makes it nobody's, for both. */
  assert_int_equal(block_owners_note(owners, 4096, 128), BLOCK_SHARED);
  assert_int_equal(block_owners_note(owners, 4096, 64), BLOCK_SHARED);
  assert_int_equal(block_owners_note(owners, 8192, 128), BLOCK_OWN);
  free(owners);
}

static void too_many(void **state) {
  struct block_owner *owners = block_owners_create();
  uint64_t unknown = 0, count = 3u << 19;

  (void)state;
  assert_non_null(owners);
  for (uint64_t i = 1; i <= count; i++)
    unknown += block_owners_note(owners, 16 * i, 8 * i) == BLOCK_UNKNOWN;
  assert_true(unknown > 0 && unknown < count);
  free(owners);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_owner_or_none),
      cmocka_unit_test(too_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
