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
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "memory.h"
#include "process_memory.h"

enum {
  MAX_THREADS = 1 << 16,
  STOP_MILLISECONDS = 3000, /**< A thread may take to stop. */
};

/** What is being copied. */
struct copy {
  struct memory *memory;
  const struct pyheap_target *target;
  pid_t via; /**< The thread in /proc to read by. */
  int fd;    /**< /proc/PID/mem */
  struct process_pieces pieces;
  struct memory_run run;
};

/** One line of /proc/PID/maps. */
struct mapping {
  uint64_t start, end;
  uint32_t flags;
  bool wanted; /**< To be copied. */
};

static int open_proc(pid_t pid, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  return open(path, flags | O_CLOEXEC);
}

/** The process that traces the thread; 0: none, or unknown. */
static int tracer_of(pid_t thread) {
  char text[2048];
  cleanup_close int fd = open_proc(thread, "status", O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  int tracer;
  text[length > 0 ? length : 0] = 0;
  const char *line = strstr(text, "\nTracerPid:");
  return line && sscanf(line, "\nTracerPid: %d", &tracer) == 1 ? tracer : 0;
}

/** Says who traces the process, as a process can have but one tracer. */
static struct pyheap_error *traced_error(pid_t pid, int tracer) {
  char name[32];
  cleanup_close int fd = open_proc(tracer, "comm", O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, name, sizeof name - 1);
  name[length > 0 ? length : 0] = 0;
  name[strcspn(name, "\n")] = 0;
  return error_create(PYHEAP_ERROR_OS, 0,
                      "cannot attach to process %d: it is traced by process %d "
                      "(%s); use muppy there, or detach that first",
                      (int)pid, tracer, *name ? name : "unknown");
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
    pid_t *grown =
        reallocarray(memory->threads, memory->thread_count + 1, sizeof *grown);
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

/** A thread that was stopped for the time of the copy. */
struct stopped {
  pid_t thread;
  int signal; /**< What it was about to get, 0: nothing. */
  bool ended;
};

struct stopped_list {
  struct stopped *items;
  size_t count;
};

/** Lets them go on; the one that got a signal while it was stopped gets it. */
static void release_threads(struct stopped_list *list) {
  for (size_t i = 0; i < list->count; i++)
    if (!list->items[i].ended)
      ptrace(PTRACE_DETACH, list->items[i].thread, 0, list->items[i].signal);
  free(list->items);
  *list = (struct stopped_list){0};
}

static bool is_listed(const struct stopped_list *list, pid_t thread) {
  for (size_t i = 0; i < list->count; i++)
    if (list->items[i].thread == thread)
      return true;
  return false;
}

/** The letter that the kernel has for what the thread does, 0 when it is
 * gone. */
static char thread_state(pid_t thread) {
  char text[512];
  cleanup_close int fd = open_proc(thread, "stat", O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  text[length > 0 ? length : 0] = 0;
  /* Behind the name, which may hold anything. */
  const char *name_end = strrchr(text, ')');
  return name_end && name_end[1] ? name_end[2] : 0;
}

static bool has_ended(pid_t thread) {
  char state = thread_state(thread);
  return !state || state == 'Z' || state == 'X';
}

/** Waits for a thread that was told to stop.  The kernel does not stop one that
 * waits in it for what no signal may interrupt, such as a child of vfork(). */
static struct pyheap_error *await_stop(const struct pyheap_target *target,
                                       struct stopped *stopped) {
  const struct pyheap_progress *progress = target->progress;
  const struct timespec moment = {.tv_nsec = 1000000};
  int status = 0;

  for (int waited = 0;; waited++) {
    pid_t found = waitpid(stopped->thread, &status, __WALL | WNOHANG);
    if (found == stopped->thread)
      break;
    if (found < 0 && errno != EINTR) {
      stopped->ended = true;
      return NULL;
    }
    if (waited == STOP_MILLISECONDS)
      return error_create(PYHEAP_ERROR_OS, 0,
                          "thread %d of process %d cannot be stopped: it waits "
                          "in the kernel (state %c), as after vfork(); try "
                          "again later",
                          (int)stopped->thread, (int)target->pid,
                          thread_state(stopped->thread));
    if (waited % 64 == 63 && progress &&
        !progress->step(progress->context, "stopping threads", 0, 0))
      return error_create(PYHEAP_ERROR_CANCELED, 0, "interrupted");
    nanosleep(&moment, NULL);
  }
  if (!WIFSTOPPED(status))
    stopped->ended = true;
  else if (status >> 16 != PTRACE_EVENT_STOP)
    stopped->signal = WSTOPSIG(status);
  return NULL;
}

static struct pyheap_error *stop_thread(const struct pyheap_target *target,
                                        pid_t thread,
                                        struct stopped_list *list) {
  struct stopped *grown =
      reallocarray(list->items, list->count + 1, sizeof *grown);
  if (!grown)
    return &error_no_memory;
  list->items = grown;
  struct stopped *stopped = &grown[list->count];
  *stopped = (struct stopped){.thread = thread};
  if (ptrace(PTRACE_SEIZE, thread, 0, 0) < 0) {
    int error_number = errno;
    if (!has_ended(thread)) {
      int tracer = tracer_of(thread);
      return tracer ? traced_error(target->pid, tracer)
                    : process_error(target->pid, "attach to", error_number);
    }
    stopped->ended = true;
    list->count++;
    return NULL;
  }
  list->count++;
  ptrace(PTRACE_INTERRUPT, thread, 0, 0);
  return await_stop(target, stopped);
}

/** Stops every thread of the process, those that it starts meanwhile too: it
 * lists them again until nothing new is found. */
static struct pyheap_error *stop_threads(struct memory *memory,
                                         const struct pyheap_target *target,
                                         struct stopped_list *list) {
  for (bool again = true; again;) {
    again = false;
    TRY(list_threads(memory, target->pid));
    for (size_t i = 0; i < memory->thread_count; i++) {
      if (is_listed(list, memory->threads[i]))
        continue;
      TRY(stop_thread(target, memory->threads[i], list));
      again = true;
    }
  }
  for (size_t i = 0; i < list->count; i++)
    if (!list->items[i].ended)
      return NULL;
  return error_create(PYHEAP_ERROR_OS, 0, "process %d has ended",
                      (int)target->pid);
}

/* Memory ------------------------------------------------------------------ */

/** Makes room for a mapping, which is to be copied.  RUN_END: up to where wanted
 * mappings follow each other. */
static struct pyheap_error *want_mapping(struct copy *copy,
                                         const struct mapping *mapping,
                                         uint64_t run_end) {
  TRY(memory_need_run(copy->memory, &copy->run, mapping->start, run_end));
  uint8_t *bytes = copy->run.bytes + (mapping->start - copy->run.start);
  return process_pieces_add(&copy->pieces, mapping->start, bytes,
                            mapping->end - mapping->start, mapping->flags)
             ? NULL
             : &error_no_memory;
}

/** Copies what is wanted; what cannot be read becomes missing. */
static struct pyheap_error *copy_pieces(struct copy *copy) {
  struct memory *memory = copy->memory;

  if (!process_pieces_copy(&copy->pieces))
    return error_create(PYHEAP_ERROR_CANCELED, 0, "interrupted");
  for (size_t i = 0; i < copy->pieces.count; i++) {
    const struct process_piece *piece = &copy->pieces.list[i];
    uint64_t middle = piece->start + piece->got;
    if (piece->got)
      TRY(memory_add(memory, piece->start, middle, piece->bytes, piece->flags));
    if (piece->got < piece->length)
      TRY(memory_add(memory, middle, piece->start + piece->length, NULL,
                     piece->flags));
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

/** Reads a line of /proc/PID/maps.  What is copied: all that is writable, and
 * the whole of program files; a big file mapped for reading is not.  False for
 * what is no memory to read. */
static bool read_mapping(const struct copy *copy, const char *line,
                         char *elf_path, size_t elf_size,
                         struct mapping *mapping, uint64_t *offset,
                         const char **path) {
  unsigned long long start, end, in_file;
  char mode[5];
  int path_at = 0;

  if (sscanf(line, "%llx-%llx %4s %llx %*s %*s %n", &start, &end, mode,
             &in_file, &path_at) < 4 ||
      start >= end || end >> 47)
    return false;
  *path = line[path_at] == '/' ? line + path_at : NULL;
  *offset = in_file;
  *mapping = (struct mapping){.start = start, .end = end};
  if (*path)
    mapping->flags |= MEMORY_FILE;
  if (mode[1] == 'w')
    mapping->flags |= MEMORY_WRITABLE;
  mapping->flags |= mode[2] == 'x' ? MEMORY_EXECUTABLE : MEMORY_OBJECTS;
  if (*path && in_file == 0 && mode[0] == 'r' && is_elf(copy, start))
    snprintf(elf_path, elf_size, "%s", *path);
  mapping->wanted = mode[1] == 'w' || (*path && strcmp(elf_path, *path) == 0);
  return mode[0] == 'r' && strncmp(line + path_at, "[v", 2) != 0;
}

struct mappings {
  struct mapping *list;
  size_t count;
};

/** Lists the mappings of the process, and the files in them. */
static struct pyheap_error *list_mappings(struct copy *copy, FILE *maps,
                                          struct mappings *mappings) {
  cleanup_free char *line = NULL;
  cleanup_free char *elf_path = calloc(1, 4096);
  size_t size = 0;

  if (!elf_path)
    return &error_no_memory;
  while (getline(&line, &size, maps) > 0) {
    struct mapping mapping;
    uint64_t offset;
    const char *path = NULL;
    line[strcspn(line, "\n")] = 0;
    bool readable =
        read_mapping(copy, line, elf_path, 4096, &mapping, &offset, &path);
    if (path)
      TRY(memory_add_file(copy->memory, mapping.start, mapping.end, offset,
                          path));
    if (!readable)
      continue;
    struct mapping *grown =
        reallocarray(mappings->list, mappings->count + 1, sizeof *grown);
    if (!grown)
      return &error_no_memory;
    mappings->list = grown;
    grown[mappings->count++] = mapping;
  }
  return NULL;
}

static struct pyheap_error *copy_mappings(struct copy *copy,
                                          const struct mappings *mappings) {
  for (size_t i = 0; i < mappings->count; i++) {
    const struct mapping *mapping = &mappings->list[i];
    uint64_t end = mapping->end;
    if (!mapping->wanted) {
      TRY(memory_add(copy->memory, mapping->start, end, NULL, mapping->flags));
      continue;
    }
    for (size_t j = i + 1; j < mappings->count && mappings->list[j].wanted &&
                           mappings->list[j].start == end;
         j++)
      end = mappings->list[j].end;
    TRY(want_mapping(copy, mapping, end));
  }
  return copy_pieces(copy);
}

static struct pyheap_error *copy_memory(struct copy *copy) {
  struct mappings mappings = {0};
  char path[64];

  snprintf(path, sizeof path, "/proc/%d/maps", (int)copy->via);
  FILE *maps = fopen(path, "re");
  if (!maps)
    return process_error(copy->target->pid, "read", errno);
  struct pyheap_error *error = list_mappings(copy, maps, &mappings);
  fclose(maps);
  if (!error)
    error = copy_mappings(copy, &mappings);
  free(mappings.list);
  return error;
}

/** Where FILE is to be had: through the process's own root, or, when it is not
 * found there, through the process itself.  That is so of files that were
 * replaced or deleted since, and of all in a chroot: their paths are ours. */
static char *local_path(pid_t pid, const struct memory_file *file,
                        const char *program) {
  char *path = NULL;
  int written = asprintf(&path, "/proc/%d/root%s", (int)pid, file->path);

  if (written >= 0 && access(path, R_OK) == 0)
    return path;
  if (written >= 0)
    free(path);
  if (strcmp(file->path, program) == 0)
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
    else if (pair[0] == AT_RANDOM)
      memory->random = pair[1];
}

/** A thread whose /proc shows the memory: the first one's does not any more
 * when it has ended before the others. */
static pid_t living_thread(const struct memory *memory) {
  for (size_t i = 0; i < memory->thread_count; i++)
    if (!has_ended(memory->threads[i]))
      return memory->threads[i];
  return memory->pid;
}

/** What /proc tells of the registers of a thread that another process has
 * stopped: its stack pointer.  False when it runs. */
static bool read_stack_pointer(pid_t thread,
                               struct user_regs_struct *registers) {
  char text[256];
  cleanup_close int fd = open_proc(thread, "syscall", O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  text[length > 0 ? length : 0] = 0;
  /* "… STACK-POINTER PROGRAM-COUNTER" */
  char *counter = strrchr(text, ' ');
  if (!counter)
    return false;
  *counter = 0;
  const char *pointer = strrchr(text, ' ');
  *registers = (struct user_regs_struct){0};
  registers->rsp = pointer ? strtoull(pointer, NULL, 16) : 0;
  return registers->rsp != 0;
}

/** Where the threads' stacks are. */
static struct pyheap_error *find_stacks(struct memory *memory, bool stopped) {
  for (size_t i = 0; i < memory->thread_count; i++) {
    pid_t thread = memory->threads[i];
    struct user_regs_struct registers;
    if (stopped ? read_stack_pointer(thread, &registers)
                : ptrace(PTRACE_GETREGS, thread, 0, &registers) == 0)
      TRY(memory_add_stack(memory, thread, &registers));
  }
  return NULL;
}

static struct pyheap_error *copy_process(struct memory *memory,
                                         const struct pyheap_target *target,
                                         unsigned threads, pid_t via) {
  struct copy copy = {.memory = memory, .target = target, .via = via};
  cleanup_close int fd = open_proc(via, "mem", O_RDONLY);
  if (fd < 0)
    return process_error(target->pid, "read", errno);
  copy.fd = fd;
  copy.pieces = (struct process_pieces){.process = via,
                                        .fd = fd,
                                        .threads = threads,
                                        .progress = target->progress};
  struct pyheap_error *error = copy_memory(&copy);
  process_pieces_deinit(&copy.pieces);
  return error;
}

struct pyheap_error *memory_open_live(struct memory *memory,
                                      const struct pyheap_target *target,
                                      unsigned threads) {
  pid_t pid = target->pid;
  struct stopped_list stopped = {0};
  struct pyheap_error *error;

  memory->pid = pid;
  if (target->stopped)
    error = list_threads(memory, pid);
  else
    error = stop_threads(memory, target, &stopped);
  pid_t via = living_thread(memory);
  if (!error)
    error = find_stacks(memory, target->stopped);
  if (!error)
    error = copy_process(memory, target, threads, via);
  release_threads(&stopped);
  TRY(error);
  read_entry(memory, via);
  TRY(find_files(memory, via, target->exe));
  return memory_finish(memory);
}

/* Comparing --------------------------------------------------------------- */

bool memory_is_current(const struct memory *memory,
                       const struct pyheap_progress *progress,
                       unsigned threads) {
  pid_t via = living_thread(memory);
  cleanup_close int fd = open_proc(via, "mem", O_RDONLY);
  struct process_pieces pieces = {
      .process = via, .fd = fd, .threads = threads, .progress = progress};
  bool same = fd >= 0;

  for (size_t i = 0; same && i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    if (range->bytes && !(range->flags & MEMORY_FROM_FILE))
      same = process_pieces_add(&pieces, range->start,
                                (uint8_t *)(uintptr_t)range->bytes,
                                range->end - range->start, 0);
  }
  same = same && process_pieces_compare(&pieces);
  process_pieces_deinit(&pieces);
  return same;
}
