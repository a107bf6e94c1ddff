/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "heap.h"

enum {
  PROC_TEXT = 1 << 16, /**< Bytes of a file of /proc that are looked at. */
  START_FIELD = 22,
};

/** The start of a file of /proc; NULL when there is none.  free() */
static char *proc_text(const char *path) {
  cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
  cleanup_free char *text = malloc(PROC_TEXT + 1);
  size_t length = 0;
  ssize_t got = 1;

  if (fd < 0 || !text)
    return NULL;
  while (length < PROC_TEXT && got > 0) {
    got = read(fd, text + length, PROC_TEXT - length);
    length += got > 0 ? (size_t)got : 0;
  }
  text[length] = 0;
  return take(text);
}

/** A number made of two, neither of which it tells. */
static uint64_t mix(uint64_t a, uint64_t b) {
  __uint128_t product =
      (__uint128_t)(a ^ 0x9e3779b97f4a7c15) * (b ^ 0xd1b54a32d192ed03);
  uint64_t sum = (uint64_t)product ^ (uint64_t)(product >> 64);
  return sum ? sum : 1;
}

/** A number for this start of this machine; 0 when there is none. */
static uint64_t boot_number(void) {
  cleanup_free char *text = proc_text("/proc/sys/kernel/random/boot_id");
  uint64_t sum = 0;

  for (const char *at = text; at && *at; at++)
    sum = mix(sum, (unsigned char)*at);
  return sum;
}

/** When the process started, in clock ticks, as its stat says (proc(5)); or 0.
 */
static uint64_t start_of(pid_t pid) {
  char path[64];
  unsigned long long ticks;

  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  cleanup_free char *text = proc_text(path);
  /* Behind the name, the second, which may hold anything. */
  const char *at = text ? strrchr(text, ')') : NULL;
  for (int field = 2; at && field < START_FIELD; field++)
    at = strchr(at + 1, ' ');
  return at && sscanf(at, " %llu", &ticks) == 1 ? ticks : 0;
}

/** What the process calls itself: a core file that its kernel writes has that
 * number.  The last of "NSpid: 4711 12". */
static pid_t own_pid(pid_t pid) {
  char path[64];
  int number = pid, used;

  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  cleanup_free char *text = proc_text(path);
  const char *at = text ? strstr(text, "\nNSpid:") : NULL;
  if (!at)
    return pid;
  at += strlen("\nNSpid:");
  for (int next; sscanf(at, "%*[ \t]%d%n", &next, &used) == 1; at += used)
    number = next;
  return number;
}

/** A number made of the 16 bytes at AT_RANDOM, from which they cannot be had
 * again: the C library makes its stack guard of them. */
static uint64_t program_start(const struct memory *memory) {
  uint64_t words[2];
  const uint8_t *bytes = memory_at(memory, memory->random, sizeof words);

  if (!memory->random || !bytes)
    return 0;
  memcpy(words, bytes, sizeof words);
  return mix(words[0], words[1]);
}

/** Microseconds since 1970 when the memory was as it was read. */
static int64_t time_of(const struct pyheap *heap) {
  struct stat status;
  struct timespec time = {0};

  if (heap->target.core) {
    if (stat(heap->target.core, &status) == 0)
      time = status.st_mtim;
  } else {
    clock_gettime(CLOCK_REALTIME, &time);
  }
  return time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
}

struct pyheap_error *identity_init(struct pyheap_identity *identity,
                                   struct pyheap *heap) {
  const struct pyheap_info *info = pyheap_info(heap);
  pid_t live = heap->target.core ? 0 : heap->target.pid;
  pid_t pid = live ? own_pid(live) : heap->memory.pid;

  *identity = (struct pyheap_identity){
      .hexversion = info->hexversion,
      .debug = info->debug,
      .free_threaded = info->free_threaded,
      .incomplete = info->incomplete,
      .pid = pid > 0 ? pid : 0,
      .program_start = program_start(&heap->memory),
      .boot = live ? boot_number() : 0,
      .started = live ? start_of(live) : 0,
      .taken = time_of(heap),
      .runtime = info->runtime,
      .interpreters = info->interpreters,
      .threads = info->threads,
      .frames = info->frames,
      .exe = strdup(info->exe ? info->exe : ""),
      .source = strdup(info->source ? info->source : ""),
  };
  if (!identity->exe || !identity->source)
    return &error_no_memory;
  size_t size;
  const uint8_t *id = memory_build_id(&heap->memory, heap->runtime, &size);
  if (!id)
    return NULL;
  identity->build_id_size =
      (uint32_t)(size < PYHEAP_BUILD_ID ? size : PYHEAP_BUILD_ID);
  memcpy(identity->build_id, id, identity->build_id_size);
  return NULL;
}

void identity_deinit(struct pyheap_identity *identity) {
  free(identity->exe);
  free(identity->source);
  *identity = (struct pyheap_identity){0};
}
