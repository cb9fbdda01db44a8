/* Parcels: blocks of the family heap that change hands through shared memory.
 * SPDX-License-Identifier: MIT
 *
 *     uint64_t name;
 *     plait__parcel_make(bytes, &name);  in our hands: if we are killed, the heap takes it back
 *     record->parcel = name;             where others find its name
 *     plait__parcel_leave(name);         nobody's: it stays whoever is killed
 *     ...
 *     plait__parcel_drop(name)           one alone ends it: true; it is gone for all at once
 *
 * Each of these steps is one store or compare-and-swap of the run's descriptor. So whether a parcel
 * is there tells how far somebody came who is dead now: one that is named and not left was never
 * handed over, or was dropped. A name is used once, and a block never comes back by the name that
 * it had (in 2^32 parcels).
 */
#ifndef PLAIT__FAMILY_PARCEL_H
#define PLAIT__FAMILY_PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block of so many bytes, whatever they are, aligned to 64. Never named 0. 0, -ENOMEM, -EUSERS. */
int plait__parcel_make(size_t bytes, uint64_t *ret_name);
/* pre: in our hands. */
void plait__parcel_leave(uint64_t name);
/* pre: in our hands. Gives it back. */
void plait__parcel_discard(uint64_t name);
/* False: it is not there; somebody else dropped it, or who made it was killed before it left it. */
bool plait__parcel_drop(uint64_t name);
/* Was it left, and not dropped yet? */
bool plait__parcel_is_left(uint64_t name);
/* pre: made by us, or left. */
char *plait__parcel_bytes(uint64_t name);
/* A word that goes with it, for those who use it: where it is named, say. UINT64_MAX at first. pre:
 * as before. */
uint64_t *plait__parcel_note(uint64_t name);
/* The name of the parcel with these bytes, made or left; 0: there is none. */
uint64_t plait__parcel_of(const void *bytes);

#endif
