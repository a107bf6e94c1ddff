/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Damages a core file in many ways and asks everything each time, in a child
 * process with little time and memory:
 *
 *   run CORE SEED CASES [SECONDS]   random cases, the same for the same seed;
 *                                   those that fail become files failed-*
 *   run CORE FILE...                these cases again, without a child
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "damage.h"

enum {
  MOST = 300,     /**< Edits of a case. */
  SECONDS = 10,   /**< Of processor time, for all questions of a case. */
  PATIENCE = 12,  /**< So many times as long may pass on a busy machine. */
  WATCH = 100000, /**< Microseconds between two looks at the memory in use. */
};
static const uint64_t MEMORY = 1ull << 30; /**< Bytes, beside the core file. */
/** What sanitizers take: they keep freed memory, and shadows of all. */
static const uint64_t SANITIZED = 2;

struct test {
  struct edit edits[MOST];
  size_t count;
};

/** Few edits come deep, many come anywhere; most cases damage one place. */
static void make_test(uint64_t seed, uint64_t number, struct test *test) {
  static const size_t counts[] = {1, 1, 2, 5, 20, MOST};
  uint64_t state = seed * 1000003 + number;
  unsigned place = (unsigned)(number % PLACE_COUNT);
  bool mixed = next_random(&state) % 4 == 0;

  next_random(&state);
  test->count = counts[next_random(&state) % (sizeof counts / sizeof *counts)];
  for (size_t i = 0; i < test->count; i++) {
    uint64_t bits = next_random(&state);
    if (mixed)
      place = (unsigned)(next_random(&state) % PLACE_FILE);
    test->edits[i] =
        (struct edit){(uint8_t)place, (uint8_t)bits, (uint16_t)(bits >> 8),
                      (uint32_t)(bits >> 32), next_random(&state)};
  }
}

static const char TOO_MUCH[] = "memory grows without end\n";

/** Sanitizers reserve terabytes of address space, so that what is in use is
 * looked at from time to time. */
static void watch_memory(int signal) {
  struct rusage usage;
  (void)signal;
  if (getrusage(RUSAGE_SELF, &usage) == 0 &&
      (uint64_t)usage.ru_maxrss << 10 > SANITIZED * MEMORY) {
    if (write(STDERR_FILENO, TOO_MUCH, sizeof TOO_MUCH - 1) < 0)
      _exit(3);
    _exit(4);
  }
}

static void limit_seconds(rlim_t seconds) {
  struct rlimit limit = {seconds, seconds + 1};
  setrlimit(RLIMIT_CPU, &limit);
  alarm((unsigned)seconds * PATIENCE);
}

/** CORE_BYTES are mapped and none of the program's. */
static void limit_resources(uint64_t core_bytes) {
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  struct itimerval timer = {{0, WATCH}, {0, WATCH}};
  struct sigaction action = {.sa_handler = watch_memory,
                             .sa_flags = SA_RESTART};
  (void)core_bytes;
  sigaction(SIGPROF, &action, NULL);
  setitimer(ITIMER_PROF, &timer, NULL);
  limit_seconds(4 * SECONDS);
#else
  struct rlimit memory = {MEMORY + core_bytes, MEMORY + core_bytes};
  (void)watch_memory;
  setrlimit(RLIMIT_AS, &memory);
  limit_seconds(SECONDS);
#endif
}

/** Runs one case in a child; whether it ended well. */
static bool survives(const struct test *test, uint64_t core_bytes) {
  fflush(NULL);
  pid_t child = fork();
  int status;
  if (child < 0) {
    perror("fork");
    exit(2);
  }
  if (child == 0) {
    limit_resources(core_bytes);
    LLVMFuzzerTestOneInput((const uint8_t *)test->edits,
                           test->count * sizeof *test->edits);
    exit(0);
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFSIGNALED(status))
    printf("%s: ", WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGXCPU
                       ? "no end"
                       : strsignal(WTERMSIG(status)));
  else if (WEXITSTATUS(status))
    printf("exit status %d: ", WEXITSTATUS(status));
  return status == 0;
}

static void keep(const struct test *test, uint64_t seed, uint64_t number) {
  char name[64];
  snprintf(name, sizeof name, "failed-%llu-%llu", (unsigned long long)seed,
           (unsigned long long)number);
  printf("%zu edits of %s, kept as %s\n", test->count,
         damage_places[test->edits[0].place], name);
  FILE *file = fopen(name, "wb");
  if (!file || fwrite(test->edits, sizeof *test->edits, test->count, file) !=
                   test->count)
    perror(name);
  if (file)
    fclose(file);
}

static int replay(const char *name) {
  struct test test;
  FILE *file = fopen(name, "rb");
  if (!file) {
    perror(name);
    return 2;
  }
  test.count = fread(test.edits, sizeof *test.edits, MOST, file);
  fclose(file);
  LLVMFuzzerTestOneInput((const uint8_t *)test.edits,
                         test.count * sizeof *test.edits);
  printf("%s: survived\n", name);
  return 0;
}

int main(int argc, char **argv) {
  char *end = NULL;
  uint64_t seed = argc > 3 ? strtoull(argv[2], &end, 10) : 0;
  struct stat core = {0};

  if (argc < 3) {
    fprintf(stderr, "Usage: run CORE SEED CASES [SECONDS]\n"
                    "       run CORE FILE...\n");
    return 2;
  }
  setenv("MUPPY_FUZZ_CORE", argv[1], 1);
  if (!end || *end) {
    for (int i = 2; i < argc; i++)
      if (replay(argv[i]))
        return 2;
    return 0;
  }
  uint64_t cases = strtoull(argv[3], NULL, 10), number = 0, failed = 0;
  time_t stop = time(NULL) + (argc > 4 ? atol(argv[4]) : 1000000);
  if (stat(argv[1], &core) < 0) {
    perror(argv[1]);
    return 2;
  }
  /* An empty case reads the core, for all children. */
  LLVMFuzzerTestOneInput(NULL, 0);
  for (; number < cases && time(NULL) < stop; number++) {
    struct test test;
    make_test(seed, number, &test);
    if (!survives(&test, 2 * (uint64_t)core.st_size)) {
      keep(&test, seed, number);
      /* The child has not mended what it damaged. */
      LLVMFuzzerTestOneInput(NULL, 0);
      failed++;
    }
  }
  printf("%llu passed, %llu failed, 0 skipped\n",
         (unsigned long long)(number - failed), (unsigned long long)failed);
  return failed != 0;
}
