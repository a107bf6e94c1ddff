/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What gdb (muppy.gdb and muppy.so) and the helper program say to each other.
 *
 * Long texts lie in memfds that both sides hold; messages of one fixed size go
 * over a SOCK_SEQPACKET socket, so that neither side ever trusts a length for
 * where a message ends, and a side that dies leaves no half message.
 *
 *     muppy.gdb                muppy.so                  muppy --gdb-socket=3
 *     dump request, files ───► (memfds)
 *     view a frame ──────────► RUN ────────────────────► reads both
 *                              target_read ◄──────────── READ
 *                              DATA (window) ──────────►
 *                              terminal ◄─────────────── PROGRESS
 *                              lends it ◄─────────────── TERMINAL
 *                              DATA (descriptor) ──────►
 *                              Ctrl-C: CANCEL ─────────►
 *     source what it wrote ◄── DONE ◄─────────────────── writes the response
 *                                                        and the output
 *
 * The request is a row of items, each a tag and what it holds, all appended by
 * gdb itself: ITEM_TEXT text NUL, ITEM_WIDTH NUL 4 bytes (a number as this
 * machine has it).  The first text is the path of the helper, the second the
 * name of the command, the others its arguments.  When the response asks for
 * what is debugged, for the value of an expression or for the memory that gdb
 * can read, gdb writes that and the same request is run again.
 *
 * "info files" takes gdb a shell to write to a file.  So it comes when it is
 * asked for, and before the request there is a text in short, which names all
 * that the helper takes from it; while that is the same, it is not asked again.
 */
#ifndef MUPPY_PROTOCOL_H
#define MUPPY_PROTOCOL_H

#include <stdint.h>

enum {
  PROTOCOL_VERSION = 5
};

/** The descriptors that muppy.so keeps in gdb, where the script names them. */
enum gdb_descriptor {
  GDB_FD_REQUEST = 900,  /**< Items, written by gdb. */
  GDB_FD_FILES = 901,    /**< The answer of "info files". */
  GDB_FD_VALUE = 902,    /**< The expression's value, as gdb stores it. */
  GDB_FD_RESPONSE = 903, /**< A script: how the command ended. */
  GDB_FD_OUTPUT = 904,   /**< A script: what it has to say. */
  GDB_FD_TRIGGER = 905,  /**< A TRIGGER_* letter when muppy.so is called. */
  GDB_FD_ALIVE = 906,    /**< A script that says that muppy.so is loaded. */
  GDB_FD_REGIONS = 907,  /**< The answers of "maint info sections", "info proc
                              mappings" and "info auxv". */
  GDB_FD_BRIEF = 908,    /**< What is debugged, in short, then BRIEF_END; or
                              not, where gdb cannot write it. */
  GDB_FD_FIRST = GDB_FD_REQUEST,
  GDB_FD_LAST = GDB_FD_BRIEF,
};

/** The descriptors that the helper starts with, the same files. */
enum helper_descriptor {
  HELPER_FD_SOCKET = 3,
  HELPER_FD_REQUEST,
  HELPER_FD_FILES,
  HELPER_FD_VALUE,
  HELPER_FD_RESPONSE,
  HELPER_FD_OUTPUT,
  HELPER_FD_REGIONS,
  HELPER_FD_BRIEF,
  HELPER_FD_WINDOW, /**< WINDOWS times WINDOW_BYTES shared bytes for what was
                         read. */
  HELPER_FD_END,
};

enum {
  WINDOW_BYTES = 1 << 20,
  WINDOWS = 2,             /**< While one is filled, the other is emptied. */
  REQUEST_LIMIT = 1 << 20, /**< Bytes of a request. */
  FILES_LIMIT = 64 << 20,  /**< Bytes of "info files", and of the regions. */
};

/** The exit status of a helper that got no more memory. */
enum {
  HELPER_NO_MEMORY = 9
};

/** The last line of GDB_FD_BRIEF. */
#define BRIEF_END "muppy\n"

#define TRIGGER_RUN 'r'
#define TRIGGER_TOLD 't'  /**< The same; GDB_FD_FILES is of this moment. */
#define TRIGGER_AGAIN 'a' /**< Run it again: what it asked for is there. */
#define TRIGGER_QUIT 'q'  /**< Behave as if the user had pressed Ctrl-C. */

#define ITEM_TEXT '='
#define ITEM_WIDTH 'w'

enum message_kind {
  MESSAGE_RUN = 1, /**< To the helper: value is the PROTOCOL_VERSION, address
                         gdb's process id, length a set of RUN_* bits. */
  MESSAGE_DATA,    /**< To the helper: value is 1 when the window was filled, or
                        when the terminal comes with it (SCM_RIGHTS); else text
                        is why it does not. */
  MESSAGE_CANCEL,  /**< To the helper. */
  MESSAGE_READ, /**< To gdb: address, length; value is the number of a window;
                        needs a DATA. */
  MESSAGE_PROGRESS, /**< To gdb: text; address of length is done. */
  MESSAGE_TERMINAL, /**< To gdb: text brings the screen back, should the helper
                         end; needs a DATA.  Lent until DONE. */
  MESSAGE_DONE,     /**< To gdb: the response is written. */
  MESSAGE_DIED,     /**< To gdb: value is the wait status of the helper. */
};

enum {
  RUN_AGAIN = 1,       /**< What was asked of gdb is there. */
  RUN_FULL_SCREEN = 2, /**< gdb's text user interface has the screen. */
  RUN_TOLD = 4,        /**< TRIGGER_TOLD. */
};

struct message {
  uint32_t kind;
  uint32_t value;
  uint64_t address;
  uint64_t length;
  char text[104]; /**< NUL-terminated. */
};

_Static_assert(sizeof(struct message) == 128, "both sides must agree");

#endif
