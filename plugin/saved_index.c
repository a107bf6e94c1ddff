/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "saved_index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/render/escape.h"
#include "plugin/render/number.h"
#include "plugin/session.h"

/** The folder of saved indexes below the user's cache folder, as the XDG Base
 * Directory Specification has it: a path that is not absolute does not count.
 * False without either. */
static bool cache_folder(struct buffer *path) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

  if (cache && *cache == '/')
    buffer_format(path, "%s/gdb-muppy", cache);
  else if (home && *home == '/')
    buffer_format(path, "%s/.cache/gdb-muppy", home);
  else
    return false;
  return true;
}

/** The path for the open heap's index, to be freed; NULL when there is none,
 * as the user has no home. */
static char *path_at(const struct session *session,
                     enum saved_index_place place) {
  struct buffer path = {0};

  if (place == SAVED_BESIDE)
    buffer_format(&path, "%s.muppy-index", session->target.core);
  else if (cache_folder(&path))
    buffer_format(&path, "/%016" PRIx64 ".muppy-index",
                  pyheap_identity(session->heap));
  else
    return NULL;
  return buffer_take(&path);
}

/* Loading ------------------------------------------------------------------ */

static void say_unused(struct session *session, const char *path,
                       const struct pyheap_error *error) {
  cleanup_buffer struct buffer text = {0};

  escape_add(&text, path);
  buffer_add(&text, ": ");
  escape_add(&text, error->message);
  fprintf(session->gdb ? session->out : stderr,
          "muppy: the saved index is not used: %s\n", buffer_string(&text));
}

/** Whether the index at PATH is in use now. */
static bool load(struct session *session, const char *path) {
  if (!path || access(path, F_OK) != 0)
    return false;
  struct pyheap_error *error = pyheap_load_index(session->heap, path);
  if (!error)
    return true;
  say_unused(session, path, error);
  pyheap_error_destroy(error);
  return false;
}

void saved_index_load(struct session *session) {
  if (session->ignore_index || !session->target.core ||
      !pyheap_identity(session->heap))
    return;
  for (int place = SAVED_BESIDE; place <= SAVED_CACHE; place++) {
    char *path = path_at(session, (enum saved_index_place)place);
    bool loaded = load(session, path);
    free(path);
    if (loaded)
      return;
  }
}

/* Saving ------------------------------------------------------------------- */

/** Makes the folders above the file PATH, for the user alone. */
static bool make_folders(const char *path) {
  char *folder = strdup(path);
  bool made = folder != NULL;

  for (char *slash = folder; made && (slash = strchr(slash + 1, '/'));) {
    *slash = '\0';
    made = mkdir(folder, 0700) == 0 || errno == EEXIST || errno == EROFS ||
           access(folder, F_OK) == 0;
    *slash = '/';
  }
  free(folder);
  return made;
}

static enum command_status save_to(struct session *session, const char *path,
                                   FILE *out) {
  cleanup_buffer struct buffer name = {0};
  char size[SIZE_TEXT];
  struct stat status = {0};

  struct pyheap_error *error = pyheap_save_index(session->heap, path);
  session_done(session);
  if (error)
    return session_error(session, error);
  stat(path, &status);
  escape_add(&name, path);
  fprintf(out, "Saved the index of %" PRIu32 " objects, %s, to %s.\n",
          pyheap_object_count(session->heap),
          format_size_short(size, (uint64_t)status.st_size),
          buffer_string(&name));
  return COMMAND_OK;
}

enum command_status saved_index_save(struct session *session,
                                     enum saved_index_place place, FILE *out) {
  enum command_status status;

  if (!session_open(session, &status))
    return status;
  if (!session->target.core || !pyheap_identity(session->heap))
    return session_fail(session, COMMAND_FAILED,
                        "only the index of a core file can be saved, for a "
                        "process changes");
  char *path = path_at(session, place);
  if (!path)
    return session_fail(session, COMMAND_FAILED,
                        "there is no cache folder: neither XDG_CACHE_HOME nor "
                        "HOME is an absolute path");
  if (place == SAVED_CACHE && !make_folders(path))
    status =
        session_fail(session, COMMAND_FAILED, "%s: %s", path, strerror(errno));
  else
    status = save_to(session, path, out);
  free(path);
  return status;
}
