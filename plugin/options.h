/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Options by table: one dash or two, abbreviated, before or behind operands.
 */
#ifndef MUPPY_OPTIONS_H
#define MUPPY_OPTIONS_H

#include "plugin/command.h"

/**
 * Stores the options of argv[1..] in VALUES as OPTIONS say and moves the
 * operands to argv[1..*OPERANDS].  "--" ends the options.
 * On failure the session's message names the option, the value and what is
 * expected.
 */
enum command_status options_parse(struct session *session,
                                  const struct command_option *options,
                                  int argc, char **argv, void *values,
                                  int *operands);

/** The same for options before the first operand, whose index in argv becomes
 * *FIRST (argc: there is none). */
enum command_status options_parse_leading(struct session *session,
                                          const struct command_option *options,
                                          int argc, char **argv, void *values,
                                          int *first);

#endif
