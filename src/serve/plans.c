#include "serve/plans.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"

void plans_clear(Plans *l)
{
    for (size_t i = 0; i < l->count; i++) {
        Plan *p = &l->items[i];
        free(p->name);
        strlist_free(&p->words);
        if (p->cron)
            cron_free(p->cron);
        if (p->zone)
            zone_free(p->zone);
    }
    free(l->items);
    service_config_release(l->config);
    *l = (Plans){0};
}

static Error *add(Plans *l, const char *kind, const ServiceEntry *entry, const char *text)
{
    const Config *c = entry->config;
    mem_grow(l->items, l->count, l->cap);
    Plan *p = &l->items[l->count++];
    *p = (Plan){.kind = kind,
                .entry = entry,
                .text = text,
                .retries = (int)config_int(c, SETTING_RETRIES),
                .retry_after_ms = config_duration(c, SETTING_RETRY_AFTER)};
    p->name = *entry->name ? mem_printf("%s/%s", kind, entry->name) : mem_strdup(kind);
    TRY_CTX(cron_parse(text, &p->cron), "the schedule %s", p->name);
    TRY_CTX(zone_open(config_str(c, SETTING_TIME_ZONE), &p->zone), "the schedule %s", p->name);
    p->rule = (ScheduleRule){.name = p->name,
                             .cron = p->cron,
                             .zone = p->zone,
                             .jitter_ms = config_duration(c, SETTING_JITTER)};
    if (!strcmp(kind, "drill")) {
        strlist_add(&p->words, "verify");
        strlist_add(&p->words, "--level");
    }
    strlist_add(&p->words, kind);
    p->all = !strcmp(kind, "backup") && config_bool(c, SETTING_ALL_DATABASES);
    /* Of all databases each one's backup has this time, and sees to it itself. */
    if (!strcmp(kind, "backup") && !p->all)
        p->timeout_ms = config_duration(c, SETTING_BACKUP_TIMEOUT);
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* Whether another entry's verify reads the same repository at the same times. */
static bool is_verified(const Plans *l, const ServiceEntry *entry, const char *text)
{
    for (size_t i = 0; i < l->count; i++) {
        const Plan *p = &l->items[i];
        if (!strcmp(p->kind, "verify") && !strcmp(p->text, text) &&
            same_text(config_str(p->entry->config, SETTING_REPO),
                      config_str(entry->config, SETTING_REPO)))
            return true;
    }
    return false;
}

Error *plans_make(ServiceConfig *config, Plans *out)
{
    AUTO_VALUE(Plans) l = {.config = config};
    for (size_t i = 0; i < config->count; i++) {
        const ServiceEntry *entry = &config->entries[i];
        const char *backup = config_str(entry->config, SETTING_SCHEDULE);
        const char *verify = config_str(entry->config, SETTING_VERIFY_SCHEDULE);
        const char *drill = config_str(entry->config, SETTING_DRILL_SCHEDULE);
        if (backup && config_bool(entry->config, SETTING_ENABLED))
            TRY(add(&l, "backup", entry, backup));
        if (verify && !is_verified(&l, entry, verify))
            TRY(add(&l, "verify", entry, verify));
        if (drill)
            TRY(add(&l, "drill", entry, drill));
    }
    *out = l;
    l = (Plans){0};
    return NULL;
}

const Plan *plans_find(const Plans *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->items[i].name, name))
            return &l->items[i];
    return NULL;
}

Error *plans_need(const Plans *l, const char *name, const Plan **out)
{
    *out = plans_find(l, name);
    if (*out)
        return NULL;
    AUTO(char) shown = text_printable(name);
    const char **names = mem_calloc(l->count + 1, sizeof *names);
    for (size_t i = 0; i < l->count; i++)
        names[i] = l->items[i].name;
    const char *near = text_nearest(name, names, l->count);
    free(names);
    Error *e = ERROR_NEW(ERR_USAGE, "there is no schedule \"%s\"", shown);
    return near ? error_hint(e, "did you mean %s?", near)
                : error_hint(e, "`pgstow schedule list` shows those that there are");
}

Instant plans_now(void)
{
    const char *path = fault_setting("PGSTOW_CLOCK");
    long long ahead = 0;
    FILE *f = path ? fopen(path, "re") : NULL;
    if (f && fscanf(f, "%lld", &ahead) != 1)
        ahead = 0;
    if (f)
        fclose(f);
    return clock_now() + ahead;
}
