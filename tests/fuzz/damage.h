/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Damages a core file in chosen places, and mends it again.
 *
 * An edit says in 16 bytes what is changed where, in terms of what the heap
 * holds: "the third word of some dict's keys becomes its own address".  Random
 * edits come to the point far sooner than random bytes in megabytes of core.
 */
#ifndef MUPPY_TESTS_FUZZ_DAMAGE_H
#define MUPPY_TESTS_FUZZ_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is edited; names in damage_places[]. */
enum place {
  PLACE_LINK,      /**< Words of a collector's header. */
  PLACE_OBJECT,    /**< The first words of an object. */
  PLACE_BEHIND,    /**< What a word of an object points to. */
  PLACE_TYPE,      /**< A type object. */
  PLACE_TABLE,     /**< The table of a dict. */
  PLACE_ROOT,      /**< Runtime, interpreters, threads and frames. */
  PLACE_HEADER,    /**< ELF header, program headers and notes. */
  PLACE_ALLOCATOR, /**< Headers of pools, arenas and segments. */
  PLACE_PAGE,      /**< A whole page, zeroed or randomised. */
  PLACE_FILE,      /**< The file's end. */
  PLACE_COUNT,
};
extern const char *const damage_places[PLACE_COUNT];

struct edit {
  uint8_t place;
  uint8_t how;   /**< What is written: a value, a flipped bit, an address. */
  uint16_t word; /**< Which word of the place. */
  uint32_t pick; /**< Which object, type, page, … */
  uint64_t value;
};

struct damage;

/** A copy of CORE to damage, whose path is damage_path().  Exits with a message
 * when it cannot be read. */
struct damage *damage_open(const char *core);
const char *damage_path(const struct damage *damage);
/** How many objects there are in the core file. */
uint64_t damage_object_count(const struct damage *damage);
void damage_apply(struct damage *damage, const struct edit *edits,
                  size_t count);
/** Undoes what was applied. */
void damage_mend(struct damage *damage);
/** Makes the copy whole again after a process died that had damaged it. */
void damage_restore(struct damage *damage);

/**
 * Asks every command about the core file at PATH and forgets the answers.
 * Returns what makes no sense about them, or NULL.  VARIETY chooses the objects
 * that are asked about; EXPECTED is how many there were before the damage.
 */
const char *ask_everything(const char *path, uint64_t variety,
                           uint64_t expected);

/** A small generator of random numbers: splitmix64. */
uint64_t next_random(uint64_t *state);

/** libFuzzer's entry: DATA is a list of edits of the core file that the
 * environment variable MUPPY_FUZZ_CORE names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
