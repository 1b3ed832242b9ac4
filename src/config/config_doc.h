/* The settings as `config show --json` and the API show them: passwords are not in it. */
#ifndef PGSTOW_CONFIG_CONFIG_DOC_H
#define PGSTOW_CONFIG_CONFIG_DOC_H

#include "base/doc.h"
#include "config/config.h"

Doc *config_doc(const Config *c);
/* Whether the setting has a source other than the flags of one command. */
bool setting_is_lasting(SettingId id);

#endif
