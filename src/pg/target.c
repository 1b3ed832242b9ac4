#include "pg/target.h"

#include <libpq-fe.h>
#include <string.h>

#include "base/mem.h"

char *target_database(const char *url)
{
    char *name = NULL;
    if (url && (strchr(url, '=') || strstr(url, "://"))) {
        PQconninfoOption *options = PQconninfoParse(url, NULL);
        for (PQconninfoOption *o = options; o && o->keyword; o++)
            if (!strcmp(o->keyword, "dbname") && o->val && *o->val)
                name = mem_strdup(o->val);
        PQconninfoFree(options);
    } else if (url && *url) {
        name = mem_strdup(url);
    }
    const char *environment = getenv("PGDATABASE");
    return name ? name : mem_strdup(environment && *environment ? environment : NULL);
}
