/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Nodes and references in words, escaped for a terminal.
 */
#ifndef MUPPY_DESCRIBE_H
#define MUPPY_DESCRIBE_H

#include "plugin/render/escape.h"
#include "pyheap/pyheap.h"

/** Characters of a value that a line about many objects has room for, and of
 * attributes, of which a tree has rather few than none. */
enum {
  SHORT_VALUE = 60,
  SHORT_ATTRIBUTES = 30,
};

/** The type's name; "?" for an index that there is not. */
void describe_type(struct buffer *text, const struct pyheap *heap,
                   uint32_t type);
/** The value in short, in at most LIMIT characters; "" where there is none. */
void describe_value(struct buffer *text, const struct pyheap *heap,
                    pyheap_node node, size_t limit);
/** "dict 0x7f3c5a2b1c40", "frame handler (app.py:42)".  Returns where in TEXT
 * the address is. */
struct span describe_identity(struct buffer *text, const struct pyheap *heap,
                              pyheap_node node);
/** The same with the value: "dict 0x7f3c5a2b1c40 len=3". */
struct span describe_node(struct buffer *text, const struct pyheap *heap,
                          pyheap_node node);
/** A reference's name: "['sessions']", ".cache", "local req". */
void describe_name(struct buffer *text, const struct pyheap *heap,
                   struct pyheap_name name);
/** Marks the name of a probable reference: appends "?". */
void describe_probable(struct buffer *text, enum pyheap_reference_kind kind,
                       enum pyheap_name_form form);
/** "3", or "immortal". */
void describe_refcount(struct buffer *text, int64_t refcount);
/** "0", the id of the interpreter of that index, "shared" or "unknown". */
void describe_interpreter(struct buffer *text, const struct pyheap *heap,
                          int32_t index);
/** "1 object", "3 objects". */
void describe_count(struct buffer *text, uint64_t count, const char *what);

#endif
