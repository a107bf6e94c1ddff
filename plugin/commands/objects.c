/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <inttypes.h>

#include "plugin/describe.h"
#include "plugin/object_list.h"
#include "plugin/options.h"
#include "plugin/render/number.h"
#include "plugin/render/table.h"
#include "plugin/session.h"

struct objects {
  struct object_list list; /**< First, as its options want it. */
  bool roots, frames;
};

const struct command_option objects_options[] = {
    SELECT_TYPE_OPTION(objects, list.select),
    OBJECT_LIST_OPTIONS,
    {"roots", NULL,
     "List what refers to objects and is none: interpreters, threads,\n"
     "running functions; all of them, or as many as -limit says.",
     OPTION_FLAG, offsetof(struct objects, roots)},
    {"frames", NULL,
     "List only the running functions of each thread, innermost first.",
     OPTION_FLAG, offsetof(struct objects, frames)},
    {0},
};

static void add_root(struct table *table, const struct pyheap *heap,
                     pyheap_node root) {
  cleanup_buffer struct buffer text = {0};

  buffer_format(&text, "0x%016" PRIx64, pyheap_address(heap, root));
  table_add(table, buffer_string(&text));
  buffer_clear(&text);
  escape_add(&text, pyheap_root_name(heap, root));
  table_add(table, buffer_string(&text));
}

/** Their addresses are understood by refs, referents and object. */
static enum command_status list_roots(struct session *session,
                                      const struct objects *objects,
                                      const struct output *output) {
  static const struct table_column columns[] = {
      {"address", ALIGN_LEFT, 0, 0, CUT_END},
      {"root", ALIGN_LEFT, 0, 12, CUT_END},
  };
  enum command_status status;
  cleanup_buffer struct buffer total = {0};
  struct pyheap *heap = session_objects(session, &status);
  uint64_t count = 0;
  uint64_t limit = objects->list.limit ? objects->list.limit : UNLIMITED;

  if (!heap)
    return status;
  struct table *table = table_create(columns, 2);
  for (pyheap_node node = pyheap_object_count(heap);
       node < pyheap_node_count(heap); node++) {
    if (objects->frames && pyheap_root_kind(heap, node) != PYHEAP_ROOT_FRAME)
      continue;
    if (!objects->list.count && count < limit)
      add_root(table, heap, node);
    count++;
  }
  table_flush(table, output->file, output->width);
  table_destroy(table);
  if (!objects->list.count && count > limit)
    fprintf(output->file, ELLIPSIS " %" PRIu64 " more\n", count - limit);
  describe_count(&total, count, objects->frames ? "running function" : "root");
  fprintf(output->file, "%s\n", buffer_string(&total));
  return COMMAND_OK;
}

static enum command_status run_roots(struct session *session,
                                     struct objects *objects) {
  struct object_list *list = &objects->list;
  const char *option = objects->frames ? "-frames" : "-roots";
  struct output output;

  if (select_is_given(&list->select) || list->addresses ||
      list->sort != OBJECT_LIST_SORT || list->ascending)
    return session_fail(session, COMMAND_USAGE,
                        "objects: %s lists what is no object; it goes with "
                        "-limit, -count and -output only",
                        option);
  if (objects->roots && objects->frames)
    return session_fail(session, COMMAND_USAGE,
                        "objects: -roots has the frames of -frames in it; "
                        "give one of them");
  enum command_status status =
      output_open(session, list->output, list->force, &output);
  if (status != COMMAND_OK)
    return status;
  return output_close(session, &output, list_roots(session, objects, &output));
}

enum command_status objects_run(struct session *session, int argc,
                                char **argv) {
  struct objects objects = {.list = OBJECT_LIST};
  struct select_options *select = &objects.list.select;
  int operands;
  enum command_status status =
      options_parse(session, objects_options, argc, argv, &objects, &operands);

  if (status != COMMAND_OK)
    return status;
  if (operands && (operands > 1 || select->type))
    return session_fail(session, COMMAND_USAGE,
                        "objects: one type, please; '%s' is one too many",
                        argv[operands]);
  if (operands)
    select->type = argv[1];
  if (objects.roots || objects.frames)
    return run_roots(session, &objects);
  return object_list_run(session, argv[0], &objects.list);
}
