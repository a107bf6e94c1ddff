/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The numbers of doc/snapshot-format.md, for who writes and who reads such
 * files.
 */
#ifndef PYHEAP_SNAPSHOT_FORMAT_H
#define PYHEAP_SNAPSHOT_FORMAT_H

/** The first byte is no text, and what changes the ends of lines shows. */
#define SNAPSHOT_MAGIC "\211MUPPY\r\n"

enum {
  SNAPSHOT_VERSION = 1,
  SNAPSHOT_MAGIC_BYTES = 8,

  /* The header of the file: where its members are. */
  FILE_VERSION = 8,  /**< u32 */
  FILE_CHUNKS = 12,  /**< u32 */
  FILE_BYTES = 16,   /**< u64: of the whole file */
  FILE_OBJECTS = 24, /**< u32 */
  FILE_TYPES = 28,   /**< u32 */
  FILE_ROOTS = 32,   /**< u32 */
  FILE_SUM = 36,     /**< u32: CRC-32C of what is before it */
  FILE_HEADER = 40,

  /* The header of a chunk. */
  CHUNK_KIND = 0,  /**< u32: enum chunk_kind */
  CHUNK_COUNT = 4, /**< u32: things in it */
  CHUNK_BYTES = 8, /**< u64: bytes behind this header */
  CHUNK_SUM = 16,  /**< u32: CRC-32C of the 16 bytes before and the contents */
  CHUNK_HEADER = 20,

  FIRST_CHUNKS = 3,      /**< Identity, types, roots. */
  CHUNK_OBJECTS = 65536, /**< Objects in a chunk; fewer in the last only. */
  OBJECT_LEAST = 7,      /**< Bytes that an object takes at least. */
  TYPE_LEAST = 6,
  ROOT_LEAST = 3,
  ROOT_KIND_MOST = 255,
};

/** In this order in the file. */
enum chunk_kind {
  CHUNK_IDENTITY = 1,
  CHUNK_TYPES,
  CHUNK_ROOTS,
  CHUNK_COLUMNS,    /**< Objects: one chunk for each CHUNK_OBJECTS of them. */
  CHUNK_REFERENCES, /**< What refers to these; one behind each. */
};

enum identity_flag {
  IDENTITY_DEBUG = 1,
  IDENTITY_FREE_THREADED = 2,
  IDENTITY_INCOMPLETE = 4,
  IDENTITY_FLAGS = 7,
};

#endif
