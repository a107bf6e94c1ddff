/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "plugin/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/file_text.h"
#include "plugin/protocol.h"

/** gdb leaves the quotes around an argument that holds blanks. */
static char *without_quotes(char *text) {
  size_t length = strlen(text);

  if (length < 2 || (text[0] != '\'' && text[0] != '"') ||
      text[length - 1] != text[0])
    return text;
  text[length - 1] = '\0';
  return text + 1;
}

/** Takes the item at BYTES.  Returns its length, 0 when it makes no sense. */
static size_t take_item(struct request *request, char *bytes,
                        size_t available) {
  size_t tagged = strnlen(bytes, available) + 1;
  uint32_t width;

  if (tagged > available)
    return 0;
  switch (bytes[0]) {
  case ITEM_TEXT:
    request->argv[request->argc++] = without_quotes(bytes + 1);
    return tagged;
  case ITEM_WIDTH:
    if (tagged != 2 || available < 2 + sizeof width)
      return 0;
    memcpy(&width, bytes + 2, sizeof width);
    request->width = width <= 10000 ? (int)width : 0;
    return 2 + sizeof width;
  default:
    return 0;
  }
}

static bool take_items(struct request *request, size_t length) {
  for (size_t at = 0; at < length;) {
    size_t taken = take_item(request, request->bytes + at, length - at);
    if (!taken)
      return false;
    at += taken;
  }
  return request->argc >= 2;
}

bool request_init(struct request *request, int fd) {
  size_t length;

  *request = (struct request){0};
  request->bytes = file_text(fd, REQUEST_LIMIT, &length);
  if (request->bytes)
    /* No item is shorter than two bytes. */
    request->argv = calloc(length / 2 + 1, sizeof *request->argv);
  if (!request->argv || !take_items(request, length)) {
    request_deinit(request);
    return false;
  }
  /* The first text is the path of this program, for muppy.so. */
  memmove(request->argv, request->argv + 1,
          (size_t)request->argc * sizeof *request->argv);
  request->argc--;
  return true;
}

void request_deinit(struct request *request) {
  free(request->bytes);
  free(request->argv);
  *request = (struct request){0};
}
