/* The settings that count, as `config show --json` has them. */
#include "config/config_doc.h"
#include "serve/api_internal.h"

Error *api_config(Ask *a)
{
    const ServiceEntry *entry = NULL;
    if (api_text(a, "entry"))
        TRY(api_asked_entry(a, &entry));
    api_reply(a, config_doc(entry ? entry->config : a->config->config));
    return NULL;
}
