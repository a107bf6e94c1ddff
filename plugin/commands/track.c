/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moments of a running program, kept in this process between the commands. */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/difference_text.h"
#include "plugin/identity_text.h"
#include "plugin/options.h"
#include "plugin/render/table.h"
#include "plugin/session.h"

/** The names that are not the user's to give. */
static const char start_name[] = "start", last_name[] = "last";

/** A snapshot, which several names may be for. */
struct moment {
  struct pyheap_snapshot *snapshot;
  unsigned names;
};

struct named_moment {
  char *name;
  struct moment *moment;
};

struct tracks {
  struct named_moment *items; /**< In the order in which they were made. */
  size_t count;
};

/* Moments ----------------------------------------------------------------- */

static void moment_release(struct moment *moment) {
  if (--moment->names)
    return;
  pyheap_snapshot_destroy(moment->snapshot);
  free(moment);
}

static struct named_moment *find(const struct tracks *tracks,
                                 const char *name) {
  for (size_t i = 0; tracks && i < tracks->count; i++)
    if (strcmp(tracks->items[i].name, name) == 0)
      return &tracks->items[i];
  return NULL;
}

/** Makes NAME a name of MOMENT. */
static void put(struct tracks *tracks, const char *name,
                struct moment *moment) {
  struct named_moment *named = find(tracks, name);

  moment->names++;
  if (named) {
    moment_release(named->moment);
    named->moment = moment;
    return;
  }
  tracks->items =
      must_realloc(tracks->items, (tracks->count + 1) * sizeof *tracks->items);
  tracks->items[tracks->count++] =
      (struct named_moment){must_copy(name), moment};
}

static void forget(struct tracks *tracks, struct named_moment *named) {
  size_t behind = (size_t)(tracks->items + tracks->count - named) - 1;

  moment_release(named->moment);
  free(named->name);
  memmove(named, named + 1, behind * sizeof *named);
  tracks->count--;
}

static struct tracks *tracks_create(void) {
  struct tracks *tracks = must_alloc(sizeof *tracks);

  *tracks = (struct tracks){0};
  return tracks;
}

void tracks_destroy(struct tracks *tracks) {
  if (!tracks)
    return;
  while (tracks->count)
    forget(tracks, &tracks->items[tracks->count - 1]);
  free(tracks->items);
  free(tracks);
}

/** What is now, without a name as yet; NULL with *STATUS why. */
static struct moment *take_moment(struct session *session,
                                  enum command_status *status) {
  struct pyheap_snapshot *snapshot;
  struct pyheap *heap = session_objects(session, status);

  if (!heap)
    return NULL;
  struct pyheap_error *error = pyheap_snapshot_take(heap, false, &snapshot);
  session_done(session);
  if (error) {
    *status = session_error(session, error);
    return NULL;
  }
  struct moment *moment = must_alloc(sizeof *moment);
  *moment = (struct moment){.snapshot = snapshot};
  return moment;
}

/* What all of them need --------------------------------------------------- */

/** Outside of gdb there is no "between two commands". */
static enum command_status check_gdb(struct session *session,
                                     const char *command) {
  if (session->gdb)
    return COMMAND_OK;
  return session_fail(session, COMMAND_USAGE,
                      "%s: this works in gdb only, where the program runs "
                      "between two commands; here use muppy --pid=PID save "
                      "FILE, and later muppy --pid=PID diff FILE",
                      command);
}

static enum command_status fail_untracked(struct session *session,
                                          const char *command) {
  return session_fail(
      session, COMMAND_FAILED,
      session->restarted
          ? "%s: nothing is tracked: the helper program was started again, "
            "and what it had tracked before is lost; muppy track start begins "
            "anew"
          : "%s: nothing is tracked; muppy track start begins",
      command);
}

static struct named_moment *find_named(struct session *session,
                                       const char *command, const char *name,
                                       enum command_status *status) {
  struct named_moment *named = find(session->tracks, name);

  if (named)
    *status = COMMAND_OK;
  else if (!session->tracks || !session->tracks->count)
    *status = fail_untracked(session, command);
  else if (strcmp(name, last_name) == 0)
    *status = session_fail(session, COMMAND_FAILED,
                           "%s: nothing was compared yet; name a moment of "
                           "muppy track list, or begin with muppy track start",
                           command);
  else
    *status = session_fail(session, COMMAND_FAILED,
                           "%s: no moment is named '%s'; see muppy track list",
                           command, name);
  return named;
}

/** Parses the command of which OPTIONS are the options and that takes up to
 * MOST operands. */
static enum command_status parse(struct session *session,
                                 const struct command_option *options, int argc,
                                 char **argv, void *values, int most,
                                 int *operands) {
  enum command_status status = check_gdb(session, argv[0]);

  if (status == COMMAND_OK)
    status = options_parse(session, options, argc, argv, values, operands);
  if (status == COMMAND_OK && *operands > most)
    status = session_fail(session, COMMAND_USAGE, "%s: '%s' is one too many",
                          argv[0], argv[most + 1]);
  return status;
}

/* Commands ---------------------------------------------------------------- */

/** "Tracking 42,000 objects". */
static void say_moment(struct session *session, const char *what,
                       const struct moment *moment) {
  cleanup_buffer struct buffer text = {0};

  describe_count(&text, moment->snapshot->count, "object");
  fprintf(session->out, "%s %s: ", what, buffer_string(&text));
  buffer_clear(&text);
  identity_add(&text, &moment->snapshot->identity);
  fprintf(session->out, "%s.\n", buffer_string(&text));
}

const struct command_option track_start_options[] = {{0}};

enum command_status track_start_run(struct session *session, int argc,
                                    char **argv) {
  int operands;
  enum command_status status =
      parse(session, track_start_options, argc, argv, NULL, 0, &operands);

  if (status != COMMAND_OK)
    return status;
  struct moment *moment = take_moment(session, &status);
  if (!moment)
    return status;
  tracks_destroy(session->tracks);
  session->tracks = tracks_create();
  put(session->tracks, start_name, moment);
  put(session->tracks, last_name, moment);
  say_moment(session, "Tracking", moment);
  return COMMAND_OK;
}

const struct command_option track_store_options[] = {
    {"force", NULL, "Replace the moment of that name.", OPTION_FLAG, 0},
    {0},
};

enum command_status track_store_run(struct session *session, int argc,
                                    char **argv) {
  bool force = false;
  int operands;
  enum command_status status =
      parse(session, track_store_options, argc, argv, &force, 1, &operands);

  if (status != COMMAND_OK)
    return status;
  if (!operands)
    return session_fail(session, COMMAND_USAGE,
                        "%s: under which name? Give one", argv[0]);
  if (strcmp(argv[1], start_name) == 0 || strcmp(argv[1], last_name) == 0)
    return session_fail(session, COMMAND_USAGE,
                        "%s: '%s' is the name of a moment of muppy's own",
                        argv[0], argv[1]);
  if (!force && find(session->tracks, argv[1]))
    return session_fail(session, COMMAND_FAILED,
                        "%s: there is a moment '%s' already; -force replaces "
                        "it",
                        argv[0], argv[1]);
  struct moment *moment = take_moment(session, &status);
  if (!moment)
    return status;
  if (!session->tracks)
    session->tracks = tracks_create();
  put(session->tracks, argv[1], moment);
  say_moment(session, "Stored", moment);
  return COMMAND_OK;
}

const struct command_option track_diff_options[] = {DIFFERENCE_OPTIONS, {0}};

/** Compares with what is now, which becomes the last moment. */
static enum command_status diff_now(struct session *session,
                                    const char *command,
                                    const struct difference_options *options,
                                    const struct named_moment *since,
                                    const struct output *output) {
  enum command_status status;
  struct moment *now = take_moment(session, &status);

  if (!now)
    return status;
  struct difference_side before = {.name = since->name,
                                   .snapshot = since->moment->snapshot};
  struct difference_side after = {
      .name = "now", .snapshot = now->snapshot, .heap = session->heap};
  now->names = 1;
  status = difference_show(session, command, options, &before, &after, output);
  if (status == COMMAND_OK)
    put(session->tracks, last_name, now);
  moment_release(now);
  return status;
}

enum command_status track_diff_run(struct session *session, int argc,
                                   char **argv) {
  struct difference_options options = DIFFERENCE_DEFAULTS;
  struct output output;
  int operands;
  enum command_status status =
      parse(session, track_diff_options, argc, argv, &options, 2, &operands);

  if (status == COMMAND_OK)
    status = select_check(session, argv[0], &options.select);
  if (status != COMMAND_OK)
    return status;
  const struct named_moment *first =
      find_named(session, argv[0], operands ? argv[1] : last_name, &status);
  const struct named_moment *second =
      first && operands == 2 ? find_named(session, argv[0], argv[2], &status)
                             : NULL;
  if (status == COMMAND_OK)
    status = output_open(session, options.output, options.force, &output);
  if (status != COMMAND_OK)
    return status;
  if (!second) {
    status = diff_now(session, argv[0], &options, first, &output);
  } else {
    struct difference_side before = {first->name, first->moment->snapshot,
                                     NULL};
    struct difference_side after = {second->name, second->moment->snapshot,
                                    NULL};
    status =
        difference_show(session, argv[0], &options, &before, &after, &output);
  }
  return output_close(session, &output, status);
}

const struct command_option track_list_options[] = {{0}};

static void add_moment(struct table *table, const struct named_moment *named) {
  const struct pyheap_snapshot *snapshot = named->moment->snapshot;
  cleanup_buffer struct buffer text = {0};

  escape_add(&text, named->name);
  table_add(table, buffer_string(&text));
  table_add_count(table, snapshot->count);
  table_add_size(table, pyheap_snapshot_memory(snapshot));
  buffer_clear(&text);
  struct span moment = identity_add(&text, &snapshot->identity);
  table_add_around(table, buffer_string(&text), moment);
}

enum command_status track_list_run(struct session *session, int argc,
                                   char **argv) {
  static const struct table_column columns[] = {
      {"name", ALIGN_LEFT, 0, 0, CUT_END},
      {"# objects", ALIGN_RIGHT, 0, 0, CUT_END},
      {"memory", ALIGN_RIGHT, 0, 0, CUT_END},
      {"moment", ALIGN_LEFT, 0, 20, CUT_END},
  };
  int operands;
  enum command_status status =
      parse(session, track_list_options, argc, argv, NULL, 0, &operands);

  if (status != COMMAND_OK)
    return status;
  if (!session->tracks || !session->tracks->count)
    return fail_untracked(session, argv[0]);
  struct table *table = table_create(columns, 4);
  for (size_t i = 0; i < session->tracks->count; i++)
    add_moment(table, &session->tracks->items[i]);
  table_print(table, session->out, session->width);
  table_destroy(table);
  return COMMAND_OK;
}

const struct command_option track_delete_options[] = {{0}};

enum command_status track_delete_run(struct session *session, int argc,
                                     char **argv) {
  int operands;
  enum command_status status =
      parse(session, track_delete_options, argc, argv, NULL, argc, &operands);

  if (status != COMMAND_OK)
    return status;
  if (!operands)
    return session_fail(session, COMMAND_USAGE, "%s: which? Give a name",
                        argv[0]);
  /* All or none. */
  for (int i = 1; i <= operands; i++)
    if (!find_named(session, argv[0], argv[i], &status))
      return status;
  for (int i = 1; i <= operands; i++) {
    struct named_moment *named = find_named(session, argv[0], argv[i], &status);
    if (!named)
      return status;
    forget(session->tracks, named);
  }
  return COMMAND_OK;
}

const struct command_option track_stop_options[] = {{0}};

enum command_status track_stop_run(struct session *session, int argc,
                                   char **argv) {
  int operands;
  enum command_status status =
      parse(session, track_stop_options, argc, argv, NULL, 0, &operands);

  if (status != COMMAND_OK)
    return status;
  if (!session->tracks)
    return fail_untracked(session, argv[0]);
  tracks_destroy(session->tracks);
  session->tracks = NULL;
  return COMMAND_OK;
}
