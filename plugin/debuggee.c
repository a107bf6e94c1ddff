/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * The text, from gdb 10 on (\t stands for a tab):
 *
 *     Symbols from "/usr/bin/python3.11".
 *     Local core dump file:
 *     \t`/tmp/core.4711', file type elf64-x86-64.
 *     \t0x0000000000400000 - 0x000000000041f000 is load1
 *     Local exec file:
 *     \t`/usr/bin/python3.11', file type elf64-x86-64.
 *     \tEntry point: 0x619220
 *     \t0x00000000004c6000 - 0x0000000000747bb5 is .text
 *     \t0x00007fccb5dc3680 - 0x00007fccb5dc83cb is .text in /usr/lib/x.so
 *
 * and for a live process, instead of the core:
 *
 *     Native process:
 *     \tUsing the running image of attached Thread 0x7fccb6ed12c0 (LWP 4711).
 *
 * Behind gdbserver there is neither; the program's file then is under
 *
 *     Remote target using gdb-specific protocol:
 */
#include "config.h"

#include "plugin/debuggee.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/file_text.h"
#include "plugin/gdb_text.h"

enum {
  PROC_LIMIT = 1 << 20
};

/* The text ------------------------------------------------------------------ */

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/** gdb writes so what it would fetch from the target's machine, which for a
 * native target is this one. */
static const char *local_path(const char *path) {
  return starts_with(path, "target:") ? path + strlen("target:") : path;
}

/** The path in "\t`PATH', file type ...", or NULL. */
static char *quoted_path(const char *line) {
  const char *end = strstr(line, "', file type ");

  if (!starts_with(line, "\t`") || !end)
    return NULL;
  char *path = strndup(line + 2, (size_t)(end - line) - 2);
  if (path && starts_with(path, "target:"))
    memmove(path, local_path(path), strlen(local_path(path)) + 1);
  return path;
}

/** The process of a thread; 0 when it is not there. */
static pid_t process_of(pid_t thread) {
  char path[64];
  size_t length;
  int process = 0;

  snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
  char *status = file_text_at(path, PROC_LIMIT, &length);
  const char *field = status ? strstr(status, "\nTgid:") : NULL;
  if (field && sscanf(field, "\nTgid: %d", &process) != 1)
    process = 0;
  free(status);
  return process;
}

/** The thread, or process, in "... of attached Thread 0x7f (LWP 4711)." or
 * "... of child process 4711.", or 0. */
static pid_t named_thread(const char *line) {
  static const char *const marks[] = {"(LWP ", "process ", "LWP "};
  int id;

  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    const char *mark = strstr(line, marks[i]);
    if (mark && sscanf(mark + strlen(marks[i]), "%d", &id) == 1 && id > 0)
      return id;
  }
  return 0;
}

static void take_thread(struct debuggee *debuggee, const char *line) {
  debuggee->thread = named_thread(line);
  debuggee->pid = debuggee->thread ? process_of(debuggee->thread) : 0;
}

static void add_file(struct debuggee *debuggee, const char *path,
                     uint64_t text_start) {
  size_t count = debuggee->file_count;
  struct pyheap_file *files =
      realloc(debuggee->files, (count + 1) * sizeof *files);

  if (!files)
    return;
  debuggee->files = files;
  char *copy = strdup(local_path(path));
  if (!copy)
    return;
  files[count] = (struct pyheap_file){.path = copy, .text_start = text_start};
  debuggee->file_count++;
}

/** "\tSTART - END is .text in PATH". */
static void take_section(struct debuggee *debuggee, const char *line) {
  static const char mark[] = " is .text in /";
  const char *found = strstr(line, mark);
  uint64_t start;

  if (found && sscanf(line, "\t%" SCNx64 " - ", &start) == 1)
    add_file(debuggee, found + strlen(mark) - 1, start);
  else if ((found = strstr(line, " is .text in target:/")) &&
           sscanf(line, "\t%" SCNx64 " - ", &start) == 1)
    add_file(debuggee, found + strlen(" is .text in "), start);
}

enum heading {
  HEADING_OTHER,
  HEADING_CORE,
  HEADING_EXE,
  HEADING_NATIVE,
  HEADING_REMOTE,
};

static enum heading heading_of(const char *line) {
  if (starts_with(line, "Local core dump file"))
    return HEADING_CORE;
  if (starts_with(line, "Local exec file"))
    return HEADING_EXE;
  if (starts_with(line, "Native process"))
    return HEADING_NATIVE;
  if (starts_with(line, "Remote"))
    return HEADING_REMOTE;
  return HEADING_OTHER;
}

static void take_line(struct debuggee *debuggee, enum heading heading,
                      const char *line) {
  bool has_program = heading == HEADING_EXE || heading == HEADING_REMOTE;

  if (heading == HEADING_CORE && !debuggee->core)
    debuggee->core = quoted_path(line);
  else if (has_program && !debuggee->exe && line[1] == '`')
    debuggee->exe = quoted_path(line);
  else if (heading == HEADING_NATIVE && !debuggee->pid)
    take_thread(debuggee, line);
  else
    take_section(debuggee, line);
}

static void take_text(struct debuggee *debuggee, char *text) {
  enum heading heading = HEADING_OTHER;
  char *rest = text, *line;

  while ((line = strsep(&rest, "\n"))) {
    if (*line == '\t')
      take_line(debuggee, heading, line);
    else if (*line)
      heading = heading_of(line);
  }
}

/* Identity ------------------------------------------------------------------ */

static void identify_file(FILE *out, const char *path) {
  struct stat status;

  if (!path)
    return;
  fprintf(out, "%s", path);
  if (stat(path, &status) == 0)
    fprintf(out, " %ju %ju %jd %jd.%09ld", (uintmax_t)status.st_dev,
            (uintmax_t)status.st_ino, (intmax_t)status.st_size,
            (intmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  putc('\n', out);
}

/** How often the scheduler took the thread off a processor: it cannot have run
 * and stopped again without one more. */
static bool identify_thread(FILE *out, pid_t pid, const char *thread) {
  char path[300];
  size_t length;

  snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, thread);
  char *status = file_text_at(path, PROC_LIMIT, &length);
  const char *switches =
      status ? strstr(status, "\nvoluntary_ctxt_switches") : NULL;
  if (switches)
    fprintf(out, "%s%s", thread, switches);
  free(status);
  return switches != NULL;
}

static bool identify_threads(FILE *out, pid_t pid) {
  char path[64];
  struct dirent *entry;
  bool known = true;

  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *threads = opendir(path);
  if (!threads)
    return false;
  while (known && (entry = readdir(threads)))
    if (entry->d_name[0] != '.')
      known = identify_thread(out, pid, entry->d_name);
  closedir(threads);
  return known;
}

/** When the process started: a number may be used again. */
static bool identify_process(FILE *out, pid_t pid) {
  char path[64];
  size_t length;
  unsigned long long started;

  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  char *stat = file_text_at(path, PROC_LIMIT, &length);
  /* Behind the name, which may hold anything, the 20th field. */
  const char *fields = stat ? strrchr(stat, ')') : NULL;
  bool known =
      fields && sscanf(fields,
                       ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                       "%*s %*s %*s %*s %*s %*s %llu",
                       &started) == 1;
  free(stat);
  if (!known)
    return false;
  fprintf(out, "process %d %llu\n", (int)pid, started);
  return identify_threads(out, pid);
}

static char *identity_of(const struct debuggee *debuggee) {
  char *identity = NULL;
  size_t length = 0;
  bool known = debuggee->core != NULL;
  FILE *out = open_memstream(&identity, &length);

  if (!out)
    return NULL;
  identify_file(out, debuggee->core);
  identify_file(out, debuggee->exe);
  for (size_t i = 0; i < debuggee->file_count; i++)
    fprintf(out, "%" PRIx64 " %s\n", debuggee->files[i].text_start,
            debuggee->files[i].path);
  if (debuggee->pid)
    known = identify_process(out, debuggee->pid);
  if (fclose(out) == 0 && known)
    return identity;
  free(identity);
  return NULL;
}

/* Interface ----------------------------------------------------------------- */

void debuggee_init(struct debuggee *debuggee, int fd) {
  char *text = gdb_text(fd);

  *debuggee = (struct debuggee){0};
  if (text)
    take_text(debuggee, text);
  free(text);
  /* What runs is not what an earlier core of it held. */
  if (debuggee->pid) {
    free(debuggee->core);
    debuggee->core = NULL;
  }
  debuggee->identity = identity_of(debuggee);
}

void debuggee_deinit(struct debuggee *debuggee) {
  for (size_t i = 0; i < debuggee->file_count; i++)
    free((char *)debuggee->files[i].path);
  free(debuggee->files);
  free(debuggee->core);
  free(debuggee->exe);
  free(debuggee->identity);
  *debuggee = (struct debuggee){0};
}

bool debuggee_is_named(const struct debuggee *debuggee) {
  return !debuggee->thread || process_of(debuggee->thread) == debuggee->pid;
}

static bool can_open(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  if (fd >= 0)
    close(fd);
  return fd >= 0;
}

bool debuggee_has_ended(const struct debuggee *debuggee) {
  char path[64], line[512] = "";

  if (!debuggee->pid)
    return false;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)debuggee->pid);
  FILE *file = fopen(path, "re");
  if (!file)
    return errno == ENOENT;
  /* "PID (NAME) STATE": a name may hold anything. */
  const char *name_end =
      fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
  fclose(file);
  return name_end && name_end[1] == ' ' &&
         (name_end[2] == 'Z' || name_end[2] == 'X');
}

bool debuggee_is_readable(const struct debuggee *debuggee) {
  char path[64];

  /* For the tests: as if this process were not allowed to. */
  if (getenv("MUPPY_TEST_DENY"))
    return false;
  if (debuggee->core)
    return can_open(debuggee->core);
  snprintf(path, sizeof path, "/proc/%d/mem", (int)debuggee->pid);
  return debuggee->pid && can_open(path);
}

bool debuggee_is_same(const struct debuggee *a, const struct debuggee *b) {
  return a->identity && b->identity && strcmp(a->identity, b->identity) == 0;
}
