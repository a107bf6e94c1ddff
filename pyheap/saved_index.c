/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What writing and reading a saved index share: sums and identities. */
#include "config.h"

#include "saved_index.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "checksum.h"
#include "parallel.h"

#define COUNT(member)                                                          \
  { offsetof(struct pyheap_info, member) }
const struct saved_count saved_counts[] = {
    COUNT(tracked),
    COUNT(reachable),
    COUNT(roots),
    COUNT(tracked_bytes),
    COUNT(reachable_bytes),
    COUNT(orphans),
    COUNT(orphan_bytes),
    COUNT(allocator_blocks),
    COUNT(visited_references),
    COUNT(owned_references),
    COUNT(probable_references),
    COUNT(refuted_references),
    COUNT(refcount_exact),
    COUNT(refcount_guessed),
    COUNT(refcount_high),
    COUNT(refcount_low),
};
#undef COUNT
const size_t saved_count_count = sizeof saved_counts / sizeof *saved_counts;

/* Sums --------------------------------------------------------------------- */

struct summing {
  const uint8_t *bytes;
  uint64_t length;
  uint64_t *sums; /**< By block. */
};

static uint64_t sum_block(const struct summing *summing, uint64_t block) {
  uint64_t start = block * SAVED_BLOCK, left = summing->length - start;
  return checksum(summing->bytes + start,
                  left < SAVED_BLOCK ? left : SAVED_BLOCK);
}

static void keep_sum(void *context, uint64_t block) {
  struct summing *summing = context;
  summing->sums[block] = sum_block(summing, block);
}

uint64_t saved_sum(const struct pyheap *heap, const void *bytes,
                   uint64_t length) {
  uint64_t blocks = (length + SAVED_BLOCK - 1) / SAVED_BLOCK;
  cleanup_free uint64_t *sums = calloc(blocks + 1, sizeof *sums);
  struct summing summing = {bytes, length, sums};
  uint64_t sum = 0;

  if (sums)
    parallel_each(heap->threads, blocks, keep_sum, &summing);
  for (uint64_t i = 0; i < blocks; i++)
    sum = checksum_mix(sum, sums ? sums[i] : sum_block(&summing, i));
  return sum;
}

uint64_t saved_header_sum(const struct saved_header *header) {
  struct saved_header copy = *header;
  copy.sum = 0;
  return checksum(&copy, sizeof copy);
}

/* Identities --------------------------------------------------------------- */

static uint64_t mix_text(uint64_t sum, const char *text) {
  return checksum_mix(sum, text ? checksum(text, strlen(text)) : 0);
}

/** A file of this machine by what it is, for it may have several paths. */
static uint64_t mix_file(uint64_t sum, const char *path) {
  struct stat status;
  if (!path || stat(path, &status) != 0)
    return checksum_mix(sum, 0);
  sum = checksum_mix(sum, (uint64_t)status.st_size);
  sum = checksum_mix(sum, (uint64_t)status.st_mtim.tv_sec);
  return checksum_mix(sum, (uint64_t)status.st_mtim.tv_nsec);
}

uint64_t saved_identity(const struct pyheap *heap) {
  const struct memory *memory = &heap->memory;
  uint64_t sum = checksum_mix(memory->identity, heap->runtime);

  sum = checksum_mix(sum, heap->info.hexversion);
  for (size_t i = 0; i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    sum = checksum_mix(sum, range->start);
    sum = checksum_mix(sum, range->end);
    sum = checksum_mix(sum, range->flags | (uint64_t)!range->bytes << 32);
  }
  for (size_t i = 0; i < memory->file_count; i++) {
    const struct memory_file *file = &memory->files[i];
    sum = checksum_mix(sum, file->start ^ file->offset << 1);
    sum = mix_text(sum, file->path);
    sum = mix_file(sum, file->local);
    sum = checksum_mix(sum, file->checked | file->mismatch << 1);
  }
  for (size_t i = 0; i < memory->static_count; i++)
    sum = checksum_mix(sum, memory->statics[i].start ^ memory->statics[i].end);
  for (size_t i = 0; i < heap->root_count; i++)
    sum = checksum_mix(sum, heap->roots[i].address + heap->roots[i].kind);
  return sum;
}

/** The note of this program that tells it from every other build. */
static uint64_t mix_build_id(uint64_t sum) {
  const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
  uint64_t count = getauxval(AT_PHNUM), base = 0;

  for (uint64_t i = 0; headers && i < count; i++)
    if (headers[i].p_type == PT_PHDR)
      base = (uint64_t)(uintptr_t)headers - headers[i].p_vaddr;
  for (uint64_t i = 0; headers && i < count; i++)
    if (headers[i].p_type == PT_NOTE)
      sum = checksum_mix(
          sum, checksum((const void *)(uintptr_t)(base + headers[i].p_vaddr),
                        headers[i].p_memsz));
  return sum;
}

uint64_t saved_reader(const struct pyheap *heap) {
  uint64_t sum = mix_text(SAVED_FORMAT, PACKAGE_VERSION);
  struct stat status;

  sum = mix_build_id(sum);
  /* Where the linker gives no build-id. */
  if (stat("/proc/self/exe", &status) == 0)
    sum = checksum_mix(sum, (uint64_t)status.st_size);
  return mix_text(sum, heap->layout->name);
}
