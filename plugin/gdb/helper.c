/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "plugin/gdb/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef POSIX_SPAWN_SETSID
#define POSIX_SPAWN_SETSID 0x80 /* since glibc 2.26 */
#endif

extern char **environ;

/** Our own numbers, and room for the few behind them. */
enum {
  FILES_NEEDED = GDB_FD_LAST + 16
};

static int helper_fd = -1;
static bool was_started; /**< A helper, in this gdb. */
static int window_fd = -1;
static void *window = MAP_FAILED;

/* Descriptors --------------------------------------------------------------- */

/** Moves FD to exactly NUMBER, or fails with EBUSY; FD is closed. */
static bool move_descriptor(int fd, int number) {
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, number);

  close(fd);
  if (moved < 0 || moved == number)
    return moved == number;
  close(moved);
  errno = EBUSY;
  return false;
}

static bool make_memfd(int number) {
  int fd = memfd_create("muppy", MFD_CLOEXEC);

  return fd >= 0 && move_descriptor(fd, number);
}

/** Moves FD out of the way of the numbers that the helper starts with. */
static int raise_descriptor(int fd) {
  int raised = fcntl(fd, F_DUPFD_CLOEXEC, GDB_FD_LAST + 1);

  close(fd);
  return raised;
}

static bool make_window(void) {
  window_fd = memfd_create("muppy window", MFD_CLOEXEC);
  if (window_fd < 0)
    return false;
  window_fd = raise_descriptor(window_fd);
  if (window_fd < 0 || ftruncate(window_fd, WINDOWS * WINDOW_BYTES) != 0)
    return false;
  window = mmap(NULL, WINDOWS * WINDOW_BYTES, PROT_READ | PROT_WRITE,
                MAP_SHARED, window_fd, 0);
  return window != MAP_FAILED;
}

static bool make_descriptors(void) {
  static const char alive[] = "set $_muppy_loaded = 1\n";

  for (int number = GDB_FD_FIRST; number <= GDB_FD_LAST; number++)
    if (!make_memfd(number))
      return false;
  if (write(GDB_FD_ALIVE, alive, strlen(alive)) != (ssize_t)strlen(alive))
    return false;
  return make_window();
}

/** A descriptor gets a number of ours only while the soft limit is above it;
 * afterwards it may be lower again.  Returns the limit to go back to. */
static struct rlimit raise_limit(void) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FILES_NEEDED)
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){FILES_NEEDED, limit.rlim_max});
  return limit;
}

static void restore_limit(const struct rlimit *limit) {
  if (limit->rlim_cur < FILES_NEEDED)
    setrlimit(RLIMIT_NOFILE, limit);
}

const char *helper_open_descriptors(void) {
  static char problem[200];
  struct rlimit limit = raise_limit();
  bool made = make_descriptors();

  if (!made && limit.rlim_max < FILES_NEEDED)
    snprintf(problem, sizeof problem,
             "at least %d open files must be allowed (ulimit -n)",
             FILES_NEEDED);
  else if (!made)
    snprintf(problem, sizeof problem, "the descriptors %d to %d: %s",
             GDB_FD_FIRST, GDB_FD_LAST, strerror(errno));
  restore_limit(&limit);
  return made ? NULL : problem;
}

void helper_close_descriptors(void) {
  helper_stop();
  if (window != MAP_FAILED)
    munmap(window, WINDOWS * WINDOW_BYTES);
  if (window_fd >= 0)
    close(window_fd);
  window = MAP_FAILED;
  window_fd = -1;
  for (int number = GDB_FD_FIRST; number <= GDB_FD_LAST; number++)
    close(number);
}

/* The process --------------------------------------------------------------- */

static bool prepare_files(posix_spawn_file_actions_t *files, int socket) {
  const int numbers[][2] = {
      {socket, HELPER_FD_SOCKET},
      {GDB_FD_REQUEST, HELPER_FD_REQUEST},
      {GDB_FD_FILES, HELPER_FD_FILES},
      {GDB_FD_VALUE, HELPER_FD_VALUE},
      {GDB_FD_RESPONSE, HELPER_FD_RESPONSE},
      {GDB_FD_OUTPUT, HELPER_FD_OUTPUT},
      {GDB_FD_REGIONS, HELPER_FD_REGIONS},
      {GDB_FD_BRIEF, HELPER_FD_BRIEF},
      {window_fd, HELPER_FD_WINDOW},
  };

  /* The helper must not write to the terminal, where gdb would not know. */
  for (int fd = 0; fd <= 2; fd++)
    if (posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0))
      return false;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (posix_spawn_file_actions_adddup2(files, numbers[i][0], numbers[i][1]))
      return false;
  return true;
}

/** gdb's signal mask and handlers are not the helper's, and its session is its
 * own: the terminal's Ctrl-C is gdb's to handle. */
static bool prepare_attributes(posix_spawnattr_t *attributes) {
  sigset_t none, all;

  sigemptyset(&none);
  sigfillset(&all);
  return posix_spawnattr_setsigmask(attributes, &none) == 0 &&
         posix_spawnattr_setsigdefault(attributes, &all) == 0 &&
         posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF |
                                                  POSIX_SPAWN_SETSID) == 0;
}

static int spawn(const char *program, int socket, pid_t *pid) {
  char option[32];
  /* What commands leave in a helper for those that follow ends with it, which
   * the next one is to know. */
  char *arguments[] = {(char *)program, option,
                       was_started ? (char *)"--restarted" : NULL, NULL};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  int error = ENOMEM;

  snprintf(option, sizeof option, "--gdb-socket=%d", HELPER_FD_SOCKET);
  if (posix_spawn_file_actions_init(&files) != 0)
    return ENOMEM;
  if (posix_spawnattr_init(&attributes) == 0) {
    if (prepare_files(&files, socket) && prepare_attributes(&attributes))
      error =
          posix_spawn(pid, program, &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&files);
  return error;
}

/** The program leaves a process of its own behind and exits at once, so that
 * gdb, which waits for any child, never meets one that it does not know. */
static bool wait_for_start(pid_t pid) {
  int status;

  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/** A helper that died since the last command has closed its end. */
static bool is_alive(void) {
  struct message message;

  if (helper_fd < 0)
    return false;
  return recv(helper_fd, &message, sizeof message, MSG_DONTWAIT | MSG_PEEK) <
             0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

/** Starts the program with one end of a socket.  Returns the other end, or -1
 * with errno set. */
static int start(const char *program) {
  int pair[2];
  pid_t pid;

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return -1;
  int own = raise_descriptor(pair[0]), other = raise_descriptor(pair[1]);
  int error = own < 0 || other < 0 ? EMFILE : spawn(program, other, &pid);
  if (!error && !wait_for_start(pid))
    error = ENOEXEC;
  if (other >= 0)
    close(other);
  if (error && own >= 0)
    close(own);
  errno = error;
  return error ? -1 : own;
}

const char *helper_start(const char *program) {
  static char problem[512];

  if (is_alive())
    return NULL;
  helper_stop();
  struct rlimit limit = raise_limit();
  helper_fd = start(program);
  if (helper_fd < 0)
    snprintf(problem, sizeof problem,
             "the helper program %.400s cannot be started: %s", program,
             strerror(errno));
  was_started |= helper_fd >= 0;
  restore_limit(&limit);
  return helper_fd < 0 ? problem : NULL;
}

void helper_stop(void) {
  if (helper_fd >= 0)
    close(helper_fd);
  helper_fd = -1;
}

int helper_socket(void) {
  return helper_fd;
}

void *helper_window(unsigned number) {
  return (char *)window + (size_t)number * WINDOW_BYTES;
}

static bool send_header(const struct msghdr *header) {
  ssize_t sent;

  do
    sent = sendmsg(helper_fd, header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)sizeof(struct message);
}

bool helper_send(const struct message *message) {
  struct iovec bytes = {(void *)message, sizeof *message};

  return send_header(&(struct msghdr){.msg_iov = &bytes, .msg_iovlen = 1});
}

bool helper_send_file(const struct message *message, int fd) {
  struct iovec bytes = {(void *)message, sizeof *message};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof fd)];
  } control = {0};
  struct msghdr header = {
      .msg_iov = &bytes,
      .msg_iovlen = 1,
      .msg_control = &control,
      .msg_controllen = sizeof control,
  };

  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
  return send_header(&header);
}
