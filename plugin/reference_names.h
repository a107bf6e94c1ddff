/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * By which references one node holds another.
 */
#ifndef MUPPY_REFERENCE_NAMES_H
#define MUPPY_REFERENCE_NAMES_H

#include "plugin/render/buffer.h"
#include "pyheap/pyheap.h"

/**
 * What was seen of nodes that have very many references, so that a tree of all
 * that a long list holds does not look through the list for each of them.
 */
struct reference_names;

/** The heap must not change while it is used. */
struct reference_names *reference_names_create(const struct pyheap *heap);
void reference_names_destroy(struct reference_names *names);
const struct pyheap *reference_names_heap(const struct reference_names *names);

/** The names of the COUNT references from a node to the object TO, and how they
 * are joined with it: "['sessions'] in ", ".head, .tail of ". */
void describe_references(struct buffer *text, struct reference_names *names,
                         pyheap_node from, pyheap_node to, uint64_t count);
/** The names alone: "['sessions']", ".head, .tail". */
void describe_reference_names(struct buffer *text,
                              struct reference_names *names, pyheap_node from,
                              pyheap_node to, uint64_t count);

#endif
