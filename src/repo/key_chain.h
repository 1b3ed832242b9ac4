/* Which key set counts: the config names the first one, every epoch the next, each signed by the
 * one before it, so that nobody without keys can put one of his in the row. */
#ifndef PGSTOW_REPO_KEY_CHAIN_H
#define PGSTOW_REPO_KEY_CHAIN_H

#include "repo/key_slot.h"

/* Names the ring's only set in the config, and signs it. */
Error *key_chain_sign_config(Doc *config, const Keyring *ring) MUST_CHECK;
/* ERR_DAMAGED where the config is not what was signed. */
Error *key_chain_check_config(const Doc *config, const Keyring *ring) MUST_CHECK;
/* All sets that count, as the slot sees them. The last is current. ERR_KEY where the slot lacks
 * one. */
Error *key_chain_load(Store *s, const Doc *config, const char *slot, const SlotBody *body,
                      Keyring **out) MUST_CHECK;
/* How many epochs there are now. */
Error *key_chain_length(Store *s, uint32_t *out) MUST_CHECK;
/* From now on the ring's last set counts. ERR_EXISTS where another one came first. */
Error *key_chain_extend(Store *s, const char *repo_id, const Keyring *ring) MUST_CHECK;

#endif
