/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "commands.h"

#include <unistd.h>

#include "plugin/browse/heap_tree.h"
#include "plugin/browse/screen.h"
#include "plugin/options.h"
#include "plugin/render/number.h"
#include "plugin/session.h"

struct browse {
  bool referents;
};

const struct command_option browse_options[] = {
    {"referents", NULL, "Show what objects refer to; r turns it around.",
     OPTION_FLAG, offsetof(struct browse, referents)},
    {0},
};

/** What the screen asks about the heap. */
struct browsing {
  struct session *session;
  struct heap_tree tree;
};

static void title(void *context, struct browse_item item,
                  enum browse_direction direction, struct buffer *text) {
  const struct browsing *browsing = context;

  heap_tree_title(&browsing->tree, item, direction, text);
}

static void details(void *context, struct browse_item item, FILE *out,
                    int width) {
  const struct browsing *browsing = context;

  heap_tree_details(&browsing->tree, item, out, width);
}

static const char *leaf(void *context, struct browse_item item,
                        enum browse_direction direction) {
  const struct browsing *browsing = context;

  if (direction == BROWSE_REFERENTS)
    return "it refers to nothing";
  return item.kind == HEAP_ITEM_NODE &&
                 pyheap_is_root(browsing->tree.heap, (pyheap_node)item.number)
             ? "a root of the heap: nothing refers to it"
             : "nothing refers to it that was found";
}

static char *jump(void *context, const char *words, struct browse_item *ret) {
  struct browsing *browsing = context;
  struct session *session = browsing->session;
  cleanup_buffer struct buffer problem = {0};
  uint64_t address;
  pyheap_node node;

  if (!parse_address(words, &address)) {
    buffer_add(&problem, "'");
    escape_add(&problem, words);
    buffer_add(&problem, "' is no address");
    return buffer_take(&problem);
  }
  if (session_node(session, browsing->tree.heap, address, &node) != COMMAND_OK)
    return must_copy(session->message);
  *ret = (struct browse_item){HEAP_ITEM_NODE, node};
  return NULL;
}

static enum command_status fill_screen(struct browsing *browsing,
                                       struct browse_item item,
                                       enum browse_direction direction, int fd,
                                       const char *restore) {
  const struct screen_content content = {browsing, title, details, leaf, jump};
  const struct browse_source source = heap_tree_source(&browsing->tree);
  struct session *session = browsing->session;
  struct tty *tty = tty_create(fd, restore, session->terminal);

  if (!tty)
    return session_fail(session, COMMAND_FAILED,
                        "browse: the terminal cannot be filled");
  struct browse_model *model = browse_create(&source, item, direction);
  browse_open(model);
  enum screen_end end = screen_run(tty, model, &content);
  browse_destroy(model);
  tty_destroy(tty);
  if (end == SCREEN_CANCELED)
    return session_canceled(session);
  if (end == SCREEN_LOST)
    return session_fail(session, COMMAND_FAILED,
                        "browse: the terminal is gone");
  return COMMAND_OK;
}

static enum command_status browse_heap(struct session *session,
                                       const uint64_t *address,
                                       const struct browse *options, int fd,
                                       const char *restore) {
  struct browsing browsing = {.session = session};
  struct browse_item item = {HEAP_ITEM_ALL, 0};
  enum command_status status;
  struct pyheap *heap =
      session_references_of(session, address, &item.number, &status);

  if (address)
    item.kind = HEAP_ITEM_NODE;
  if (heap) {
    struct pyheap_error *error = heap_tree_init(&browsing.tree, heap);
    session_done(session);
    if (error)
      status = session_error(session, error);
  }
  if (status != COMMAND_OK) {
    close(fd);
    return status;
  }
  status = fill_screen(&browsing, item,
                       options->referents ? BROWSE_REFERENTS : BROWSE_REFERRERS,
                       fd, restore);
  heap_tree_deinit(&browsing.tree);
  return status;
}

enum command_status browse_run(struct session *session, int argc, char **argv) {
  const struct command_terminal *terminal = session->terminal;
  struct browse options = {0};
  char restore[TERMINAL_RESTORE];
  uint64_t address;
  int operands, fd;
  enum command_status status =
      options_parse(session, browse_options, argc, argv, &options, &operands);

  if (status == COMMAND_OK && operands)
    status = session_address(session, operands, argv, &address);
  if (status != COMMAND_OK)
    return status;
  const char *problem =
      terminal ? tty_check(restore) : "this program has no terminal";
  if (!problem)
    problem = terminal->lend(terminal->context, restore, &fd);
  if (problem)
    return session_fail(session, COMMAND_FAILED,
                        "browse: %s; muppy refs ADDRESS prints a tree",
                        problem);
  return browse_heap(session, operands ? &address : NULL, &options, fd,
                     restore);
}
