/* Notifiers out of settings in a file, as the service makes them. */
#ifndef PGSTOW_TESTS_NOTIFY_KIT_H
#define PGSTOW_TESTS_NOTIFY_KIT_H

#include "../state/kit.h"

#include "op/notify_to.h"

/* Adds the settings of this YAML text. */
static inline void kit_add(Notifier *n, const char *entry, const char *yaml)
{
    AUTO(char) path = file_join(kit_root, "pgstow.yaml");
    AUTO(Config) c = NULL;
    char *environment[] = {NULL};
    OK(file_write_atomic(path, yaml, strlen(yaml), 0600));
    OK(config_load(&(ConfigInputs){.environment = environment, .dir = kit_root}, &c));
    OK(notifier_add(n, entry, c));
}

static inline Notifier *kit_notifier(const char *yaml)
{
    Notifier *n = notifier_new();
    kit_add(n, "", yaml);
    return n;
}

#endif
