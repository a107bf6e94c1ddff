/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A live process: stopped, copied in large blocks, let go. */
#include "config.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "memory.h"

enum { COPY_BLOCK = 1 << 20, MAX_THREADS = 1 << 16 };

/** What is being copied. */
struct copy {
  struct memory *memory;
  const struct pyheap_target *target;
  int fd; /**< /proc/PID/mem */
  uint64_t done;
};

static int open_proc(pid_t pid, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  return open(path, flags | O_CLOEXEC);
}

static struct pyheap_error *process_error(pid_t pid, const char *what,
                                          int error_number) {
  if (error_number == ENOENT || error_number == ESRCH)
    return error_create(PYHEAP_ERROR_OS, 0, "there is no process %d", (int)pid);
  return error_create(
      PYHEAP_ERROR_OS, 0, "cannot %s process %d: %s%s", what, (int)pid,
      strerror(error_number),
      error_number == EPERM || error_number == EACCES
          ? " (be its user or root, and see /proc/sys/kernel/yama/ptrace_scope)"
          : "");
}

/* Threads ----------------------------------------------------------------- */

static struct pyheap_error *list_threads(struct memory *memory, pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *directory = opendir(path);
  if (!directory)
    return process_error(pid, "read", errno);
  free(take(memory->threads));
  memory->thread_count = 0;
  for (struct dirent *entry; (entry = readdir(directory));) {
    long thread = strtol(entry->d_name, NULL, 10);
    if (thread <= 0 || memory->thread_count >= MAX_THREADS)
      continue;
    pid_t *grown = reallocarray(memory->threads, memory->thread_count + 1,
                                sizeof *grown);
    if (!grown) {
      closedir(directory);
      return &error_no_memory;
    }
    memory->threads = grown;
    grown[memory->thread_count++] = (pid_t)thread;
  }
  closedir(directory);
  return NULL;
}

static void release_threads(const pid_t *threads, size_t count) {
  for (size_t i = 0; i < count; i++)
    ptrace(PTRACE_DETACH, threads[i], 0, 0);
}

static bool is_stopped_list(const pid_t *list, size_t count, pid_t thread) {
  for (size_t i = 0; i < count; i++)
    if (list[i] == thread)
      return true;
  return false;
}

/** Stops every thread of the process, those that it starts meanwhile too: it
 * lists them again until nothing new is found. */
static struct pyheap_error *stop_threads(struct memory *memory, pid_t pid,
                                         pid_t **ret, size_t *ret_count) {
  pid_t *stopped = NULL;
  size_t count = 0;

  for (bool again = true; again;) {
    again = false;
    struct pyheap_error *error = list_threads(memory, pid);
    for (size_t i = 0; !error && i < memory->thread_count; i++) {
      pid_t thread = memory->threads[i];
      if (is_stopped_list(stopped, count, thread))
        continue;
      if (ptrace(PTRACE_SEIZE, thread, 0, 0) < 0) {
        if (errno != ESRCH || thread == pid)
          error = process_error(pid, "attach to", errno);
        continue;
      }
      pid_t *grown = reallocarray(stopped, count + 1, sizeof *grown);
      if (!grown) {
        ptrace(PTRACE_DETACH, thread, 0, 0);
        error = &error_no_memory;
        continue;
      }
      stopped = grown;
      stopped[count++] = thread;
      ptrace(PTRACE_INTERRUPT, thread, 0, 0);
      int status;
      while (waitpid(thread, &status, __WALL) < 0 && errno == EINTR)
        ;
      again = true;
    }
    if (error) {
      release_threads(stopped, count);
      free(stopped);
      return error;
    }
  }
  *ret = stopped;
  *ret_count = count;
  return NULL;
}

/* Memory ------------------------------------------------------------------ */

static bool canceled(const struct copy *copy) {
  const struct pyheap_progress *progress = copy->target->progress;
  return progress &&
         !progress->step(progress->context, "copying memory", copy->done, 0);
}

/** Copies START .. END into a mapping of its own; what cannot be read becomes
 * missing. */
static struct pyheap_error *copy_range(struct copy *copy, uint64_t start,
                                       uint64_t end, uint32_t flags) {
  size_t length = end - start;
  uint8_t *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (bytes == MAP_FAILED)
    return error_os(errno, "memory for the copy of the process");
  TRY(memory_own_mapping(copy->memory, bytes, length));
  for (size_t at = 0; at < length;) {
    if (at % (64 * COPY_BLOCK) == 0 && canceled(copy))
      return error_create(PYHEAP_ERROR_CANCELED, 0, "interrupted");
    size_t block = length - at < COPY_BLOCK ? length - at : COPY_BLOCK;
    ssize_t got = pread(copy->fd, bytes + at, block, (off_t)(start + at));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0) {
      TRY(memory_add(copy->memory, start + at, start + at + block, NULL,
                     flags));
      at += block;
      continue;
    }
    TRY(memory_add(copy->memory, start + at, start + at + (size_t)got,
                   bytes + at, flags));
    at += (size_t)got;
    copy->done += (uint64_t)got;
  }
  return NULL;
}

/** Whether the file mapped from its start at ADDRESS is an ELF file. */
static bool is_elf(const struct copy *copy, uint64_t address) {
  uint8_t magic[SELFMAG];
  return pread(copy->fd, magic, sizeof magic, (off_t)address) ==
             (ssize_t)sizeof magic &&
         memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/** One line of /proc/PID/maps.  What is copied: all that is writable, and the
 * whole of program files; a big file mapped for reading is not. */
static struct pyheap_error *copy_mapping(struct copy *copy, const char *line,
                                         char *elf_path, size_t elf_size) {
  unsigned long long start, end, offset;
  char mode[5];
  int path_at = 0;

  if (sscanf(line, "%llx-%llx %4s %llx %*s %*s %n", &start, &end, mode, &offset,
             &path_at) < 4 ||
      start >= end || end >> 47)
    return NULL;
  const char *path = line + path_at;
  bool is_file = path[0] == '/';
  uint32_t flags = is_file ? MEMORY_FILE : 0;
  if (mode[1] == 'w')
    flags |= MEMORY_WRITABLE | MEMORY_OBJECTS;
  if (mode[2] == 'x')
    flags |= MEMORY_EXECUTABLE;
  if (is_file) {
    TRY(memory_add_file(copy->memory, start, end, offset, path));
    if (offset == 0 && mode[0] == 'r' && is_elf(copy, start))
      snprintf(elf_path, elf_size, "%s", path);
  }
  bool wanted = mode[1] == 'w' || (is_file && strcmp(elf_path, path) == 0);
  if (mode[0] != 'r' || strncmp(path, "[v", 2) == 0)
    return NULL;
  if (!wanted)
    return memory_add(copy->memory, start, end, NULL, flags);
  return copy_range(copy, start, end, flags);
}

static struct pyheap_error *copy_memory(struct copy *copy) {
  pid_t pid = copy->target->pid;
  cleanup_close int maps = open_proc(pid, "maps", O_RDONLY);
  if (maps < 0)
    return process_error(pid, "read", errno);
  FILE *file = fdopen(maps, "r");
  if (!file)
    return &error_no_memory;
  maps = -1;
  char *line = NULL;
  size_t size = 0;
  cleanup_free char *elf_path = calloc(1, 4096);
  struct pyheap_error *error = elf_path ? NULL : &error_no_memory;
  while (!error && getline(&line, &size, file) > 0) {
    line[strcspn(line, "\n")] = 0;
    error = copy_mapping(copy, line, elf_path, 4096);
  }
  free(line);
  fclose(file);
  return error;
}

/** Where FILE is to be had: through the process's own root, or, when it was
 * replaced or deleted since, through the process itself. */
static char *local_path(pid_t pid, const struct memory_file *file,
                        const char *program) {
  static const char mark[] = " (deleted)";
  size_t length = strlen(file->path), mark_length = sizeof mark - 1;
  bool is_gone = length > mark_length &&
                 strcmp(file->path + length - mark_length, mark) == 0;
  char *path = NULL;
  int written;

  if (!is_gone)
    written = asprintf(&path, "/proc/%d/root%s", (int)pid, file->path);
  else if (strcmp(file->path, program) == 0)
    written = asprintf(&path, "/proc/%d/exe", (int)pid);
  else
    written = asprintf(&path, "/proc/%d/map_files/%llx-%llx", (int)pid,
                       (unsigned long long)file->start,
                       (unsigned long long)file->end);
  return written < 0 ? NULL : path;
}

/** The program and the files. */
static struct pyheap_error *find_files(struct memory *memory, pid_t pid,
                                       const char *exe) {
  char program[32];
  cleanup_free char *target = calloc(1, PATH_MAX);
  if (!target)
    return &error_no_memory;
  snprintf(program, sizeof program, "/proc/%d/exe", (int)pid);
  if (readlink(program, target, PATH_MAX - 1) < 0)
    target[0] = 0;
  memory->exe = strdup(exe ? exe : program);
  if (!memory->exe)
    return &error_no_memory;
  for (size_t i = 0; i < memory->file_count; i++) {
    struct memory_file *file = &memory->files[i];
    file->local = local_path(pid, file, target);
    if (!file->local)
      return &error_no_memory;
    file->checked = true;
  }
  return NULL;
}

static void read_entry(struct memory *memory, pid_t pid) {
  cleanup_close int fd = open_proc(pid, "auxv", O_RDONLY);
  uint64_t pair[2];
  while (fd >= 0 && read(fd, pair, sizeof pair) == (ssize_t)sizeof pair)
    if (pair[0] == AT_ENTRY)
      memory->entry = pair[1];
}

struct pyheap_error *memory_open_live(struct memory *memory,
                                      const struct pyheap_target *target) {
  pid_t pid = target->pid;
  pid_t *stopped = NULL;
  size_t stopped_count = 0;

  memory->pid = pid;
  if (target->stopped)
    TRY(list_threads(memory, pid));
  else
    TRY(stop_threads(memory, pid, &stopped, &stopped_count));
  struct copy copy = {.memory = memory, .target = target};
  copy.fd = open_proc(pid, "mem", O_RDONLY);
  struct pyheap_error *error = copy.fd < 0
                                   ? process_error(pid, "read", errno)
                                   : copy_memory(&copy);
  if (copy.fd >= 0)
    close(copy.fd);
  release_threads(stopped, stopped_count);
  free(stopped);
  TRY(error);
  read_entry(memory, pid);
  TRY(find_files(memory, pid, target->exe));
  return memory_finish(memory);
}
