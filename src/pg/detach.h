/* What binds a database by its name or OID to things outside of it, so that it would be lost (or
 * hinder) when the database is replaced: replication slots, subscriptions, prepared transactions,
 * extensions that run for one database. */
#ifndef PGSTOW_PG_DETACH_H
#define PGSTOW_PG_DETACH_H

#include "pg/conn.h"

/* Names by kind, of the database with that OID. */
typedef struct Bindings {
    StrList slots, subscriptions, prepared, extensions;
} Bindings;
void bindings_clear(Bindings *b);
DEFINE_AUTO_VALUE(Bindings, bindings_clear)
/* `inside` is a connection to the database itself (extensions are asked there), or NULL. */
Error *detach_find(Conn *c, Conn *inside, const char *name, Bindings *out) MUST_CHECK;

/* Drops the subscriptions of a database, leaving their slots on the publishers, of which `warnings`
 * tells. Unused replication slots go with the database by themselves. */
Error *detach_subscriptions(Conn *c, const char *name, StrList *warnings) MUST_CHECK;

#endif
