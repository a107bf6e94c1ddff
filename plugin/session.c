/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "plugin/render/number.h"
#include "plugin/saved_index.h"

enum {
  NEAR = 1 << 20, /**< Bytes within which an object is called near. */
};

enum command_status session_fail(struct session *session,
                                 enum command_status status, const char *format,
                                 ...) {
  va_list arguments;
  char *message = NULL;

  va_start(arguments, format);
  int length = vasprintf(&message, format, arguments);
  va_end(arguments);
  free(session->message);
  /* Messages quote what the user and the debuggee wrote. */
  struct buffer escaped = {0};
  if (length >= 0)
    escape_append(&escaped, message, (size_t)length);
  free(message);
  session->message = buffer_take(&escaped);
  return status;
}

enum command_status session_canceled(struct session *session) {
  return session_fail(session, COMMAND_CANCELED, "interrupted");
}

static enum command_status error_status(enum pyheap_error_code code) {
  switch (code) {
  case PYHEAP_ERROR_NOT_CORE:
  case PYHEAP_ERROR_FOREIGN:
  case PYHEAP_ERROR_MISMATCH:
  case PYHEAP_ERROR_NOT_PYTHON:
  case PYHEAP_ERROR_VERSION:
  case PYHEAP_ERROR_NOT_SNAPSHOT:
    return COMMAND_TARGET;
  default:
    return COMMAND_FAILED;
  }
}

enum command_status session_error(struct session *session,
                                  struct pyheap_error *error) {
  enum command_status status = error_status(error->code);
  char address[32];

  if (error->code == PYHEAP_ERROR_CANCELED) {
    pyheap_error_destroy(error);
    return session_canceled(session);
  }
  snprintf(address, sizeof address, "0x%" PRIx64, error->address);
  if (error->address && !strstr(error->message, address))
    session_fail(session, status, "%s (at %s)", error->message, address);
  else
    session_fail(session, status, "%s", error->message);
  pyheap_error_destroy(error);
  return status;
}

bool session_continue(struct session *session, const char *stage, uint64_t done,
                      uint64_t total) {
  const struct pyheap_progress *progress = session->target.progress;

  return !progress || progress->step(progress->context, stage, done, total);
}

void session_done(struct session *session) {
  session_continue(session, "", 0, 0);
}

static bool has_target(const struct pyheap_target *target) {
  return target->core || target->pid || target->reader;
}

static enum command_status open_heap(struct session *session) {
  if (session->heap)
    return COMMAND_OK;
  if (!has_target(&session->target))
    return session_fail(
        session, COMMAND_TARGET,
        session->gdb ? "there is no program to look at; use the commands "
                       "core-file, attach or run first"
                     : "which program? Give --core=FILE or --pid=PID before "
                       "the command");
  struct pyheap_error *error = pyheap_open(&session->target, &session->heap);
  session_done(session);
  if (!error) {
    saved_index_load(session);
    return COMMAND_OK;
  }
  session->heap = NULL;
  enum command_status status = session_error(session, error);
  return status == COMMAND_FAILED ? COMMAND_TARGET : status;
}

struct pyheap *session_open(struct session *session,
                            enum command_status *status) {
  *status = open_heap(session);
  return *status == COMMAND_OK ? session->heap : NULL;
}

/** Takes one costly step of the library. */
static struct pyheap *
prepare(struct session *session, enum command_status *status,
        struct pyheap_error *(*step)(struct pyheap *heap)) {
  *status = open_heap(session);
  if (*status != COMMAND_OK)
    return NULL;
  struct pyheap_error *error = step(session->heap);
  session_done(session);
  if (!error)
    return session->heap;
  *status = session_error(session, error);
  return NULL;
}

struct pyheap *session_objects(struct session *session,
                               enum command_status *status) {
  return prepare(session, status, pyheap_find_objects);
}

struct pyheap *session_references(struct session *session,
                                  enum command_status *status) {
  /* Orphans refer to objects, too. */
  if (!prepare(session, status, pyheap_find_orphans))
    return NULL;
  return prepare(session, status, pyheap_index_references);
}

enum command_status session_interpreters(struct session *session) {
  enum command_status status = COMMAND_OK;
  if (session->heap && pyheap_interpreter_count(session->heap) > 1)
    prepare(session, &status, pyheap_find_interpreters);
  return status;
}

void session_close(struct session *session) {
  pyheap_close(session->heap);
  session->heap = NULL;
  free(session->message);
  session->message = NULL;
  free(session->evaluate);
  session->evaluate = NULL;
}

/** Whether the operands argv[1..COUNT] hold nothing but blanks. */
static bool is_blank(int count, char **argv) {
  for (int i = 1; i <= count; i++)
    if (argv[i][strspn(argv[i], " \t\n")])
      return false;
  return true;
}

enum command_status session_expression(struct session *session,
                                       const char *what, const char *text,
                                       uint64_t *ret) {
  if (parse_address(text, ret))
    return COMMAND_OK;
  if (!session->gdb)
    return session_fail(session, COMMAND_USAGE,
                        "%s: '%s' is no address; expressions need gdb", what,
                        text);
  if (session->evaluated_used < session->evaluated_count) {
    *ret = session->evaluated[session->evaluated_used++];
    return COMMAND_OK;
  }
  free(session->evaluate);
  session->evaluate = must_copy(text);
  return COMMAND_EVALUATE;
}

enum command_status session_address(struct session *session, int count,
                                    char **argv, uint64_t *ret) {
  cleanup_buffer struct buffer expression = {0};

  if (count == 0)
    return session_fail(session, COMMAND_USAGE,
                        "%s: which object? Give its address", argv[0]);
  if (count > 1 && !session->gdb)
    return session_fail(session, COMMAND_USAGE,
                        "%s: one address, please; '%s' is one too many",
                        argv[0], argv[2]);
  if (is_blank(count, argv))
    return session_fail(session, COMMAND_USAGE, "%s: the address is empty",
                        argv[0]);
  /* gdb split the expression at its blanks. */
  for (int i = 1; i <= count; i++) {
    buffer_add(&expression, i > 1 ? " " : "");
    buffer_add(&expression, argv[i]);
  }
  return session_expression(session, argv[0], buffer_string(&expression), ret);
}

enum command_status session_addresses(struct session *session, int count,
                                      char **argv, uint64_t *ret) {
  enum command_status status = COMMAND_OK;

  if (!count)
    return session_address(session, 0, argv, ret);
  for (int i = 0; i < count && status == COMMAND_OK; i++) {
    char *alone[] = {argv[0], argv[i + 1], NULL};
    status = session_address(session, 1, alone, &ret[i]);
  }
  return status;
}

/** Bytes between two addresses. */
static uint64_t distance(uint64_t a, uint64_t b) {
  return a < b ? b - a : a - b;
}

/** Whether a node is there and near enough to be what was meant. */
static bool is_near(const struct pyheap *heap, pyheap_node node,
                    uint64_t address) {
  return node != PYHEAP_NO_NODE &&
         distance(pyheap_address(heap, node), address) <= NEAR;
}

/** "dict 0x7f3c5a2b1c40 (48 bytes before)". */
static void add_neighbour(struct buffer *text, const struct pyheap *heap,
                          pyheap_node node, uint64_t address) {
  uint64_t own = pyheap_address(heap, node);

  describe_identity(text, heap, node);
  buffer_add(text, " (");
  describe_count(text, distance(own, address), "byte");
  buffer_add(text, own < address ? " before)" : " after)");
}

/** What an address that is no object's start is a part of, as far as one of
 * the objects next to it goes. */
static bool add_owner(struct buffer *text, const struct pyheap *heap,
                      pyheap_node node, uint64_t address) {
  uint64_t start, end, own;

  if (node == PYHEAP_NO_NODE || !pyheap_extent(heap, node, &start, &end) ||
      address < start || address >= end)
    return false;
  own = pyheap_address(heap, node);
  if (address < own) {
    buffer_add(text, "; it is in the header before ");
    describe_identity(text, heap, node);
    return true;
  }
  buffer_add(text, "; it is inside ");
  describe_identity(text, heap, node);
  buffer_format(text, ", at its byte %" PRIu64, address - own);
  return true;
}

enum command_status session_orphans(struct session *session,
                                    struct pyheap *heap) {
  bool indexed = pyheap_info(heap)->visited_references;
  struct pyheap_error *error = pyheap_find_orphans(heap);

  if (!error && indexed)
    error = pyheap_index_references(heap);
  session_done(session);
  return error ? session_error(session, error) : COMMAND_OK;
}

enum command_status session_node(struct session *session, struct pyheap *heap,
                                 uint64_t address, pyheap_node *ret) {
  cleanup_buffer struct buffer text = {0};
  pyheap_node before, after;
  pyheap_node node = pyheap_node_at(heap, address);

  if (node == PYHEAP_NO_NODE) {
    /* The address may be an orphan's. */
    enum command_status status = session_orphans(session, heap);
    if (status != COMMAND_OK)
      return status;
    node = pyheap_node_at(heap, address);
  }
  if (node != PYHEAP_NO_NODE) {
    *ret = node;
    return COMMAND_OK;
  }
  pyheap_nodes_near(heap, address, &before, &after);
  buffer_format(&text, "no object starts at 0x%" PRIx64, address);
  if (add_owner(&text, heap, before, address) ||
      add_owner(&text, heap, after, address))
    return session_fail(session, COMMAND_FAILED, "%s", buffer_string(&text));
  bool has_before = is_near(heap, before, address);
  bool has_after = is_near(heap, after, address);
  if (has_before || has_after)
    buffer_add(&text, "; the nearest: ");
  if (has_before)
    add_neighbour(&text, heap, before, address);
  if (has_before && has_after)
    buffer_add(&text, ", ");
  if (has_after)
    add_neighbour(&text, heap, after, address);
  return session_fail(session, COMMAND_FAILED, "%s", buffer_string(&text));
}

struct pyheap *session_references_of(struct session *session,
                                     const uint64_t *address, pyheap_node *node,
                                     enum command_status *status) {
  struct pyheap *heap = session_references(session, status);

  if (heap && address)
    *status = session_node(session, heap, *address, node);
  return *status == COMMAND_OK ? heap : NULL;
}
