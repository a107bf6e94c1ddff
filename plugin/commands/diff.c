/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/difference_text.h"
#include "plugin/options.h"
#include "plugin/session.h"

const struct command_option diff_options[] = {DIFFERENCE_OPTIONS, {0}};

/** One of the two moments, with what of it must be given back. */
struct moment {
  struct difference_side side;
  struct pyheap_snapshot *snapshot;
  struct pyheap *own_heap; /**< Of a core file; NULL: there is none. */
};

static void moment_deinit(struct moment *moment) {
  pyheap_snapshot_destroy(moment->snapshot);
  pyheap_close(moment->own_heap);
}

/** Takes a snapshot of HEAP, which stays open. */
static enum command_status take(struct session *session, struct pyheap *heap,
                                struct moment *moment) {
  struct pyheap_error *error =
      pyheap_snapshot_take(heap, false, &moment->snapshot);

  session_done(session);
  if (error)
    return session_error(session, error);
  moment->side.snapshot = moment->snapshot;
  moment->side.heap = heap;
  return COMMAND_OK;
}

static enum command_status take_core(struct session *session, const char *path,
                                     struct moment *moment) {
  struct pyheap_target target = {
      .core = path,
      /* gdb's own is that of what it debugs. */
      .exe = session->gdb ? NULL : session->target.exe,
      .sysroot = session->target.sysroot,
      .progress = session->target.progress,
      .threads = session->target.threads,
  };
  struct pyheap_error *error = pyheap_open(&target, &moment->own_heap);

  session_done(session);
  if (error)
    return session_error(session, error);
  return take(session, moment->own_heap, moment);
}

/** Whether the file begins as an ELF file, which a core file is.  What cannot
 * be read is left to who opens it. */
static bool is_elf(const char *path) {
  char start[SELFMAG];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  bool is = fd >= 0 && read(fd, start, SELFMAG) == SELFMAG &&
            memcmp(start, ELFMAG, SELFMAG) == 0;

  if (fd >= 0)
    close(fd);
  return is;
}

/** The moment that a file holds. */
static enum command_status load(struct session *session, const char *name,
                                const struct difference_options *options,
                                struct moment *moment) {
  char *path = path_expand(session, name);
  enum command_status status = COMMAND_OK;

  if (is_elf(path)) {
    status = take_core(session, path, moment);
  } else {
    struct pyheap_error *error =
        pyheap_snapshot_load(path, options->objects, &moment->snapshot);
    moment->side.snapshot = moment->snapshot;
    if (error)
      status = session_error(session, error);
  }
  free(path);
  return status;
}

/** The moment that is looked at now. */
static enum command_status load_target(struct session *session,
                                       struct moment *moment) {
  enum command_status status;
  struct pyheap *heap = session_objects(session, &status);

  return heap ? take(session, heap, moment) : status;
}

static enum command_status check(struct session *session, int operands,
                                 char **argv) {
  const struct pyheap_target *target = &session->target;

  if (operands == 0)
    return session_fail(session, COMMAND_USAGE,
                        "diff: with what? Give a snapshot, which muppy save "
                        "writes, or a core file");
  if (operands > 2)
    return session_fail(session, COMMAND_USAGE,
                        "diff: two files at most; '%s' is one too many",
                        argv[3]);
  if (operands == 2 && !session->gdb && (target->core || target->pid))
    return session_fail(session, COMMAND_USAGE,
                        "diff: one file is compared with that of --core or "
                        "the process of --pid; '%s' is one too many",
                        argv[2]);
  return COMMAND_OK;
}

static enum command_status run(struct session *session, int operands,
                               char **argv,
                               const struct difference_options *options,
                               const struct output *output) {
  struct moment before = {.side.name = "before"};
  struct moment after = {.side.name = "after"};
  enum command_status status = load(session, argv[1], options, &before);

  if (status == COMMAND_OK)
    status = operands == 2 ? load(session, argv[2], options, &after)
                           : load_target(session, &after);
  if (status == COMMAND_OK)
    status = difference_show(session, argv[0], options, &before.side,
                             &after.side, output);
  moment_deinit(&before);
  moment_deinit(&after);
  return status;
}

enum command_status diff_run(struct session *session, int argc, char **argv) {
  struct difference_options options = DIFFERENCE_DEFAULTS;
  struct output output;
  int operands;
  enum command_status status =
      options_parse(session, diff_options, argc, argv, &options, &operands);

  if (status == COMMAND_OK)
    status = check(session, operands, argv);
  if (status == COMMAND_OK)
    status = select_check(session, argv[0], &options.select);
  if (status == COMMAND_OK)
    status = output_open(session, options.output, options.force, &output);
  if (status != COMMAND_OK)
    return status;
  status = run(session, operands, argv, &options, &output);
  return output_close(session, &output, status);
}
