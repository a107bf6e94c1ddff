/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session.h"

enum {
  OWN_PATH = 32
};

static enum command_status fail_write(struct session *session, const char *path,
                                      int error) {
  return session_fail(session, COMMAND_FAILED, "cannot write %s: %s",
                      path ? path : "the answer", strerror(error));
}

/** What the kernel calls the open file FD; returns TO. */
static const char *own_path(char *to, int fd) {
  snprintf(to, OWN_PATH, "/proc/self/fd/%d", fd);
  return to;
}

static enum command_status fail_exists(struct session *session,
                                       const char *path) {
  return session_fail(session, COMMAND_FAILED,
                      "%s exists already; -force overwrites it", path);
}

char *path_expand(const struct session *session, const char *path) {
  const char *home = getenv("HOME");
  struct buffer text = {0};

  if (session->gdb && home && path[0] == '~' && path[1] == '/') {
    buffer_add(&text, home);
    path++;
  }
  buffer_add(&text, path);
  return buffer_take(&text);
}

/** Opens a file without a name in the output's directory: however this process
 * ends, nothing is left of it.  -1 where the file system has no such files, or
 * nobody could name it later. */
static int open_nameless(const struct output *output, mode_t mode) {
  char *path = must_copy(output->path), own[OWN_PATH];
  int fd = open(dirname(path), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);

  free(path);
  if (fd < 0 || access(own_path(own, fd), F_OK) == 0)
    return fd;
  close(fd);
  return -1;
}

/** Opens what is no regular file: a device, or a pipe, which somebody must read
 * already. */
static int open_special(const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

  if (fd >= 0)
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return fd;
}

/** Opens a new file beside the output's path. */
static int open_temporary(struct output *output, mode_t mode) {
  for (unsigned attempt = 0; attempt < 100; attempt++) {
    struct buffer name = {0};
    buffer_format(&name, "%s.%ld-%u.tmp", output->path, (long)getpid(),
                  attempt);
    int fd = open(name.bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd >= 0) {
      output->temporary = buffer_take(&name);
      return fd;
    }
    buffer_deinit(&name);
    if (errno != EEXIST)
      return -1;
  }
  return -1;
}

/** Follows the links of an existing file, so that the file is replaced and
 * not the link. */
static void resolve(struct output *output) {
  char *resolved = realpath(output->path, NULL);

  if (!resolved)
    return;
  free(output->path);
  output->path = resolved;
}

static void output_deinit(struct output *output) {
  free(output->path);
  free(output->temporary);
  *output = (struct output){0};
}

enum command_status output_choose(struct session *session, const char *command,
                                  const char *output, const char *dot,
                                  const char **ret) {
  if (output && dot)
    return session_fail(session, COMMAND_USAGE,
                        "%s: either -output or -dot, please", command);
  *ret = dot ? dot : output;
  return COMMAND_OK;
}

enum command_status output_open(struct session *session, const char *path,
                                bool force, struct output *ret) {
  struct output output = {.force = force};
  enum command_status status;
  struct stat existing;
  int fd;

  if (!path) {
    *ret = (struct output){.file = session->out, .width = session->width};
    return COMMAND_OK;
  }
  if (strcmp(path, "-") == 0)
    return session_fail(session, COMMAND_USAGE,
                        "-: give /dev/stdout to write there, or ./- for a file "
                        "of that name");
  output.path = path_expand(session, path);
  bool exists = stat(output.path, &existing) == 0;
  if (exists && S_ISREG(existing.st_mode) && !force) {
    status = fail_exists(session, output.path);
    output_deinit(&output);
    return status;
  }
  if (exists && !S_ISREG(existing.st_mode)) {
    /* A device, a pipe: nothing to lose, and nothing to rename. */
    fd = open_special(output.path);
  } else {
    resolve(&output);
    mode_t mode = exists ? existing.st_mode & 0777 : 0666;
    fd = open_nameless(&output, mode);
    output.nameless = fd >= 0;
    if (fd < 0)
      fd = open_temporary(&output, mode);
  }
  if (fd >= 0)
    output.file = fdopen(fd, "w");
  if (!output.file) {
    if (errno == ENXIO)
      status = session_fail(session, COMMAND_FAILED,
                            "cannot write %s: nobody reads that pipe or socket",
                            output.path);
    else
      status = fail_write(session, output.path, errno);
    if (fd >= 0)
      close(fd);
    if (output.temporary)
      unlink(output.temporary);
    output_deinit(&output);
    return status;
  }
  *ret = output;
  return COMMAND_OK;
}

/** Names the file without a name; 0 or an errno.  A link never replaces what is
 * there, so for that it gets another name first. */
static int name_file(struct output *output) {
  char own[OWN_PATH];
  int fd = fileno(output->file);

  for (unsigned attempt = 0;; attempt++) {
    struct buffer name = {0};
    buffer_add(&name, output->path);
    if (output->force)
      buffer_format(&name, ".%ld-%u.tmp", (long)getpid(), attempt);
    int error = linkat(AT_FDCWD, own_path(own, fd), AT_FDCWD, name.bytes,
                       AT_SYMLINK_FOLLOW)
                    ? errno
                    : 0;
    if (!error && output->force)
      output->temporary = buffer_take(&name);
    buffer_deinit(&name);
    if (!output->force || error != EEXIST || attempt == 100)
      return error;
  }
}

/** Gives the finished file its name; 0 or an errno. */
static int put_in_place(const struct output *output) {
  if (output->force)
    return rename(output->temporary, output->path) ? errno : 0;
  if (renameat2(AT_FDCWD, output->temporary, AT_FDCWD, output->path,
                RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return errno;
  /* A file system without that: a link never replaces either. */
  if (link(output->temporary, output->path))
    return errno;
  unlink(output->temporary);
  return 0;
}

static int flush(FILE *file) {
  errno = 0;
  if (fflush(file) || ferror(file))
    return errno ? errno : EIO;
  return 0;
}

enum command_status output_close(struct session *session, struct output *output,
                                 enum command_status status) {
  int error = flush(output->file);

  /* The stream only knows that something failed, not any more what. */
  if (output->error)
    error = output->error;
  if (!output->path) {
    if (error && status == COMMAND_OK)
      status = fail_write(session, NULL, error);
    return status;
  }
  if (!error && status == COMMAND_OK && output->nameless)
    error = name_file(output);
  if (fclose(output->file) && !error)
    error = errno;
  if (!error && status == COMMAND_OK && output->temporary)
    error = put_in_place(output);
  if (status == COMMAND_OK && error)
    status = error == EEXIST ? fail_exists(session, output->path)
                             : fail_write(session, output->path, error);
  if (status != COMMAND_OK && output->temporary)
    unlink(output->temporary);
  /* Somebody looks, or a program that does without. */
  if (status == COMMAND_OK && (session->gdb || session->width))
    fprintf(session->out, "Written to %s.\n", output->path);
  output_deinit(output);
  return status;
}
