/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/options.h"
#include "plugin/output.h"
#include "plugin/render/json.h"
#include "plugin/render/number.h"
#include "plugin/select.h"
#include "plugin/session.h"

enum {
  BLOCK = 1 << 20, /**< Bytes handed to the system at a time. */
};

struct export {
  int format;
  struct select_options select;
  const char *output;
  bool force;
};

const struct command_option export_options[] = {
    {"format", "jsonl", "The format: JSON, one line for each object.",
     OPTION_CHOICE, offsetof(struct export, format)},
    SELECT_TYPE_OPTION(export, select),
    SELECT_OPTIONS(export, select),
    OUTPUT_OPTIONS(struct export),
    {0},
};

/** References of one kind of the object at hand. */
struct targets {
  uint64_t *addresses;
  size_t count, capacity;
};

struct writer {
  const struct pyheap *heap;
  struct output *output;
  struct buffer block;  /**< What is not written yet. */
  struct buffer *types; /**< Each type's name in JSON, made when first met. */
  struct targets targets[3]; /**< By enum pyheap_reference_kind. */
};

static bool take_reference(void *context,
                           const struct pyheap_reference *reference) {
  struct writer *writer = context;
  struct targets *targets = &writer->targets[reference->kind];

  /* Whoever reads the file looks for the object. */
  if (pyheap_node_at(writer->heap, reference->target) >=
      pyheap_object_count(writer->heap))
    return true;
  if (targets->count == targets->capacity) {
    targets->capacity = targets->capacity ? targets->capacity * 2 : 64;
    targets->addresses = must_realloc(
        targets->addresses, targets->capacity * sizeof *targets->addresses);
  }
  targets->addresses[targets->count++] = reference->target;
  return true;
}

/** ,"NAME":["0x…",…] */
static void add_targets(struct buffer *block, const char *name,
                        struct targets *targets) {
  char item[32] = "\"0x";

  buffer_add(block, name);
  for (size_t i = 0; i < targets->count; i++) {
    char *end = put_hex(item + 3, targets->addresses[i]);
    *end++ = '"';
    *end++ = ',';
    buffer_append(block, item, (size_t)(end - item));
  }
  if (targets->count)
    buffer_truncate(block, block->length - 1);
  buffer_append(block, "]", 1);
  targets->count = 0;
}

static void add_number(struct buffer *block, const char *name, int64_t number) {
  char digits[24], *end = digits;

  buffer_add(block, name);
  if (number < 0)
    *end++ = '-';
  end = put_decimal(end, number < 0 ? -(uint64_t)number : (uint64_t)number);
  buffer_append(block, digits, (size_t)(end - digits));
}

static void add_type(struct writer *writer, pyheap_node node) {
  uint32_t type = pyheap_type_of(writer->heap, node);

  if (type >= pyheap_type_count(writer->heap)) {
    buffer_add(&writer->block, "null");
    return;
  }
  struct buffer *name = &writer->types[type];
  if (!name->length)
    json_string(name, pyheap_type(writer->heap, type)->name);
  buffer_append(&writer->block, name->bytes, name->length);
}

/** The id of the interpreter that the object belongs to, "shared", or null. */
static void add_interpreter(struct buffer *block, const struct pyheap *heap,
                            int32_t index) {
  if (index < 0)
    buffer_add(block, index == PYHEAP_INTERPRETER_SHARED
                          ? ",\"interpreter\":\"shared\""
                          : ",\"interpreter\":null");
  else
    add_number(block, ",\"interpreter\":", pyheap_interpreter(heap, index)->id);
}

static void add_object(struct writer *writer, pyheap_node node) {
  const struct pyheap *heap = writer->heap;
  struct buffer *block = &writer->block;
  char address[17];

  buffer_add(block, "{\"address\":\"0x");
  char *end = put_hex(address, pyheap_address(heap, node));
  buffer_append(block, address, (size_t)(end - address));
  buffer_add(block, "\",\"type\":");
  add_type(writer, node);
  add_number(block, ",\"size\":", (int64_t)pyheap_size(heap, node));
  add_number(block, ",\"refcount\":", pyheap_refcount(heap, node));
  buffer_add(block, pyheap_is_tracked(heap, node) ? ",\"tracked\":true"
                                                  : ",\"tracked\":false");
  if (pyheap_interpreter_count(heap) > 1)
    add_interpreter(block, heap, pyheap_interpreter_of(heap, node));
  pyheap_referents(heap, node, take_reference, writer);
  add_targets(block, ",\"referents\":[", &writer->targets[PYHEAP_VISITED]);
  add_targets(block, ",\"owned\":[", &writer->targets[PYHEAP_OWNED]);
  if (writer->targets[PYHEAP_PROBABLE].count)
    add_targets(block, ",\"probable\":[", &writer->targets[PYHEAP_PROBABLE]);
  buffer_append(block, "}\n", 2);
}

/** Hands on what was gathered; false when it could not be written. */
static bool write_block(struct writer *writer) {
  struct buffer *block = &writer->block;
  size_t written = 0;

  errno = 0;
  if (block->length)
    written = fwrite(block->bytes, 1, block->length, writer->output->file);
  if (written < block->length)
    writer->output->error = errno ? errno : EIO;
  buffer_clear(block);
  return !writer->output->error;
}

/** Writes the objects; COMMAND_OK says nothing about the file, which
 * output_close() checks. */
static enum command_status
write_objects(struct session *session, struct writer *writer,
              const struct pyheap_selection *selection) {
  uint64_t seen = 0;

  SELECT_EACH(selection, node) {
    if (seen++ % 16384 == 0 &&
        !session_continue(session, "exporting objects", seen, selection->count))
      return session_canceled(session);
    add_object(writer, node);
    if (writer->block.length >= BLOCK && !write_block(writer))
      return COMMAND_OK;
  }
  write_block(writer);
  return COMMAND_OK;
}

static enum command_status run(struct session *session,
                               const struct select_options *select,
                               struct output *output) {
  enum command_status status;
  struct pyheap_selection selection;
  /* Which of the probable references are none, only the index tells. */
  if (!session_references(session, &status))
    return status;
  struct pyheap *heap = select_objects(session, select, &selection, &status);

  if (!heap)
    return status;
  status = session_interpreters(session);
  if (status != COMMAND_OK) {
    pyheap_selection_deinit(&selection);
    return status;
  }
  uint32_t types = pyheap_type_count(heap);
  struct writer writer = {
      .heap = heap,
      .output = output,
      .types = must_alloc(types * sizeof(struct buffer)),
  };
  memset(writer.types, 0, types * sizeof(struct buffer));
  status = write_objects(session, &writer, &selection);
  session_done(session);
  for (uint32_t i = 0; i < types; i++)
    buffer_deinit(&writer.types[i]);
  free(writer.types);
  for (size_t i = 0; i < 3; i++)
    free(writer.targets[i].addresses);
  buffer_deinit(&writer.block);
  pyheap_selection_deinit(&selection);
  return status;
}

enum command_status export_run(struct session *session, int argc, char **argv) {
  struct export export = {.select = SELECT_ALL};
  struct output output;
  int operands;
  enum command_status status =
      options_parse(session, export_options, argc, argv, &export, &operands);

  if (status != COMMAND_OK)
    return status;
  if (operands)
    return session_fail(session, COMMAND_USAGE,
                        "export: '%s' is one too many; the file goes behind "
                        "-output",
                        argv[1]);
  if (!export.output && session->gdb)
    return session_fail(session, COMMAND_USAGE,
                        "export: in gdb give -output FILE");
  status = select_check(session, argv[0], &export.select);
  if (status == COMMAND_OK)
    status = output_open(session, export.output, export.force, &output);
  if (status != COMMAND_OK)
    return status;
  return output_close(session, &output, run(session, &export.select, &output));
}
