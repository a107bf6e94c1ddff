/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What modules written in C keep in their state.
 */
#ifndef PYHEAP_KNOWN_MODULE_STATE_H
#define PYHEAP_KNOWN_MODULE_STATE_H

#include "known_type.h"

/** The references in the state (md_state) of MODULE, a module object: what its
 * definition's m_traverse visits, then what else it owns. */
void known_module_state_visit(struct visit *visit, const struct object *module);

/* What lies behind pointers in a state. */
void visit_asyncio_state(struct visit *visit, const uint8_t *state);
void visit_atexit_state(struct visit *visit, const uint8_t *state);
void visit_decimal_state(struct visit *visit, const uint8_t *state);
void visit_zoneinfo_state(struct visit *visit, const uint8_t *state);

#endif
