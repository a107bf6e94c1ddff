/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "dot.h"

#include <inttypes.h>

/** Writes a string in quotes.  A backslash begins an escape of Graphviz's. */
static void put_string(FILE *out, const char *text) {
  putc('"', out);
  for (; *text; text++) {
    if (*text == '\n') {
      fputs("\\n", out);
      continue;
    }
    if (*text == '"' || *text == '\\')
      putc('\\', out);
    putc(*text, out);
  }
  putc('"', out);
}

void dot_begin(FILE *out, const char *title) {
  fputs("digraph ", out);
  put_string(out, title);
  fputs(" {\n"
        "  charset=\"UTF-8\";\n"
        "  rankdir=LR;\n"
        "  node [shape=box, fontname=\"monospace\", fontsize=10];\n"
        "  edge [fontname=\"monospace\", fontsize=9];\n",
        out);
}

void dot_node(FILE *out, uint64_t id, const char *label, enum dot_style style) {
  static const char *const attributes[] = {
      [DOT_PLAIN] = "",
      [DOT_START] = ", style=filled, fillcolor=\"#ffe0a0\"",
      [DOT_ROOT] = ", shape=ellipse, style=filled, fillcolor=\"#d0e0f0\"",
      [DOT_MORE] = ", shape=plaintext",
  };

  fprintf(out, "  n%" PRIu64 " [label=", id);
  put_string(out, label);
  fprintf(out, "%s];\n", attributes[style]);
}

void dot_edge(FILE *out, uint64_t from, uint64_t to, const char *label) {
  fprintf(out, "  n%" PRIu64 " -> n%" PRIu64, from, to);
  if (*label) {
    fputs(" [label=", out);
    put_string(out, label);
    putc(']', out);
  }
  fputs(";\n", out);
}

void dot_end(FILE *out) {
  fputs("}\n", out);
}
