/* Peers: other services that this one syncs with. From the list `peers:` of the YAML file; those
 * that `pgstow peer add` made are kept in the state, in the same words (op/peer.h knows both).
 * No secret is in it, only where one is read from. */
#ifndef PGSTOW_CONFIG_PEERS_H
#define PGSTOW_CONFIG_PEERS_H

#include "config/config.h"

/* Its texts, each with its key in the file; NULL where it is not set. PEER_TEXT(member, key) */
#define PEER_TEXTS                                                                                 \
    PEER_TEXT(name, "name")                                                                        \
    PEER_TEXT(url, "url")                                                                          \
    PEER_TEXT(node, "nodeId")                                                                      \
    PEER_TEXT(key_file, "keyFile")                                                                 \
    PEER_TEXT(key_command, "keyCommand")                                                           \
    PEER_TEXT(registration_file, "registrationKeyFile")                                            \
    PEER_TEXT(registration_command, "registrationKeyCommand")                                      \
    PEER_TEXT(legacy, "legacyHeader")                                                              \
    PEER_TEXT(ca_file, "caFile")                                                                   \
    PEER_TEXT(insecure, "insecure")                                                                \
    PEER_TEXT(entry, "entry")                                                                      \
    PEER_TEXT(repo_key_file, "repoKeyFile")                                                        \
    PEER_TEXT(repo_passphrase_command, "repoPassphraseCommand")

typedef struct ConfigPeer {
#define PEER_TEXT(member, key) char *member;
    PEER_TEXTS
#undef PEER_TEXT
} ConfigPeer;

typedef enum PeerText {
#define PEER_TEXT(member, key) PEER_TEXT_##member,
    PEER_TEXTS
#undef PEER_TEXT
        PEER_TEXT_COUNT
} PeerText;
const char *config_peer_key(PeerText text);
const char *config_peer_text(const ConfigPeer *p, PeerText text); /* NULL where not set */

void config_peer_clear(ConfigPeer *p);
DEFINE_AUTO_VALUE(ConfigPeer, config_peer_clear)
void config_peer_copy(ConfigPeer *to, const ConfigPeer *from);

/* Sets the member of this key: ERR_CONFIG for an unknown key, one that is there already, or a value
 * that it cannot have. */
Error *config_peer_set(ConfigPeer *p, const char *key, const char *value) MUST_CHECK;
/* Whether all is there that it needs and nothing contradicts. ERR_CONFIG. */
Error *config_peer_check(const ConfigPeer *p) MUST_CHECK;

/* Whether it has a key of its own, with which requests are signed. */
bool config_peer_has_key(const ConfigPeer *p);
/* Whether its requests may prove themselves by the registration key alone. */
bool config_peer_legacy(const ConfigPeer *p);
bool config_peer_insecure(const ConfigPeer *p);

/* Those of the file, in its order; borrowed. NULL behind the last. */
const ConfigPeer *config_peer(const Config *c, size_t i);

#endif
