/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What every command needs of its session.
 */
#ifndef MUPPY_SESSION_H
#define MUPPY_SESSION_H

#include "plugin/command.h"
#include "plugin/render/buffer.h"

/** Sets the message and returns STATUS. */
__attribute__((format(printf, 3, 4))) enum command_status
session_fail(struct session *session, enum command_status status,
             const char *format, ...);
/** The same for an error of the library, which is destroyed. */
enum command_status session_error(struct session *session,
                                  struct pyheap_error *error);

/** The heap alone, of which no object was looked for yet; NULL with *STATUS and
 * the message set. */
struct pyheap *session_open(struct session *session,
                            enum command_status *status);
/** The heap with its objects found, and with its references indexed too; NULL
 * with the message set and *STATUS why. */
struct pyheap *session_objects(struct session *session,
                               enum command_status *status);
struct pyheap *session_references(struct session *session,
                                  enum command_status *status);

/** Finds the orphans, too, which numbers all nodes anew; what was indexed is
 * again. */
enum command_status session_orphans(struct session *session,
                                    struct pyheap *heap);

/** Finds out which interpreter each object belongs to, where there are several:
 * after the above, which may give objects other numbers. */
enum command_status session_interpreters(struct session *session);

/** For long loops of the commands themselves: whether to go on.  Cheap enough
 * to be called for every 4,096th object. */
bool session_continue(struct session *session, const char *stage, uint64_t done,
                      uint64_t total);
/** The work is over: tells the progress callback so with the stage "". */
void session_done(struct session *session);
/** Sets the message of an interrupted command. */
enum command_status session_canceled(struct session *session);

/**
 * The address that the operands argv[1..COUNT] are: a number, or in gdb any
 * expression, for which gdb is asked (COMMAND_EVALUATE; the command is then run
 * again).
 */
enum command_status session_address(struct session *session, int count,
                                    char **argv, uint64_t *ret);
/** The same for each of the operands by itself, which in gdb is an expression
 * without blanks.  RET has room for COUNT. */
enum command_status session_addresses(struct session *session, int count,
                                      char **argv, uint64_t *ret);
/** The address that TEXT is, which may be an expression in gdb, too; WHAT names
 * it in messages: "filter: option -from". */
enum command_status session_expression(struct session *session,
                                       const char *what, const char *text,
                                       uint64_t *ret);
/** The node at the address that the operands are; when there is none, the
 * message says what is near. */
enum command_status session_node(struct session *session, struct pyheap *heap,
                                 uint64_t address, pyheap_node *ret);
/** session_references(), and the node at *ADDRESS as *NODE, which is left alone
 * where ADDRESS is NULL. */
struct pyheap *session_references_of(struct session *session,
                                     const uint64_t *address, pyheap_node *node,
                                     enum command_status *status);

#endif
