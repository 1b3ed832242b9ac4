#include "config/config_doc.h"

#include <string.h>

#include "config/peers.h"

static const char *source_name(ConfigSource source)
{
    static const char *const names[] = {"default", "file", ".env", "environment", "entry", "flag"};
    return names[source];
}

bool setting_is_lasting(SettingId id)
{
    return *setting_info(id)->key || *setting_info(id)->env;
}

/* No secret is in them, only where one is read from. */
static Doc *peers_doc(const Config *c)
{
    Doc *all = doc_array();
    const ConfigPeer *p;
    for (size_t i = 0; (p = config_peer(c, i)); i++) {
        Doc *one = doc_object();
        for (PeerText t = 0; t < PEER_TEXT_COUNT; t++)
            if (config_peer_text(p, t))
                doc_set_str(one, config_peer_key(t), config_peer_text(p, t));
        doc_push(all, one);
    }
    return all;
}

Doc *config_doc(const Config *c)
{
    Doc *d = doc_object(), *settings = doc_array(), *libpq = doc_array();
    doc_set_str(d, "file", config_yaml_file(c));
    doc_set_str(d, "dotenv", config_dotenv_file(c));
    for (SettingId id = 0; id < SETTINGS; id++) {
        const SettingInfo *s = setting_info(id);
        if (!setting_is_lasting(id))
            continue;
        AUTO(char) name = setting_name(id);
        AUTO(char) value = config_shown(c, id);
        Doc *one = doc_object();
        doc_set_str(one, "name", name);
        doc_set_str(one, "value", value);
        doc_set_str(one, "source", source_name(config_source(c, id)));
        doc_set_str(one, "origin", config_origin(c, id));
        doc_set_str(one, "flag", *s->flag ? s->flag : NULL);
        doc_set_str(one, "environment", *s->env ? s->env : NULL);
        doc_push(settings, one);
    }
    doc_set(d, "settings", settings);
    for (size_t i = 0; i < config_libpq(c)->count; i++) {
        const char *text = config_libpq(c)->items[i];
        AUTO(char) name = mem_strndup(text, strcspn(text, "="));
        doc_push_str(libpq, name);
    }
    doc_set(d, "libpqFromDotenv", libpq);
    doc_set(d, "databases", doc_texts(config_entries(c)));
    doc_set(d, "peers", peers_doc(c));
    return d;
}
