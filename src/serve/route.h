/* What the API can do, as data: each route with what it takes and what it answers. From these rows
 * follow which requests are understood, what of them is checked before a handler sees them, and the
 * OpenAPI document. A new operation is one row and one handler.
 */
#ifndef PGSTOW_SERVE_ROUTE_H
#define PGSTOW_SERVE_ROUTE_H

#include "state/state_token.h"

/* -- values ---------------------------------------------------------------------------------------
 */

typedef enum FieldType {
    FIELD_TEXT,    /* UTF-8 without control characters, of `least` to `most` bytes */
    FIELD_INTEGER, /* in [least, most] */
    FIELD_BOOL,
    FIELD_TIME,   /* asked: what clock_parse understands; answered: as clock_iso writes it */
    FIELD_SPAN,   /* what clock_parse_duration understands */
    FIELD_CHOICE, /* one of `choices` */
    FIELD_OBJECT, /* of `schema`; any JSON where that is NULL. Not in a query */
    FIELD_TEXTS   /* an object of texts. Answered only */
} FieldType;

#define FIELD_REQUIRED 1u /* asked: it must be there; answered: it always is */
#define FIELD_LIST 2u     /* several, of at most FIELD_LIST_MAX where they are asked for */
#define FIELD_NULL 4u     /* answered only: null where there is none */

#define FIELD_TEXT_MAX 1024 /* where `most` is 0 */
#define FIELD_LIST_MAX 100

/* A parameter of a query, a member of a body or of an answer. Lists of them end with a name of
 * NULL. */
typedef struct Field {
    const char *name;
    FieldType type;
    unsigned is; /* FIELD_... */
    const char *meaning;
    int64_t least, most;        /* most 0: FIELD_TEXT_MAX, INT64_MAX */
    const char *const *choices; /* NULL at the end */
    const char *schema;
} Field;

/* A JSON object that answers have, by name: the rows of api_schema.c. */
typedef struct Schema {
    const char *name, *meaning;
    const Field *fields;
} Schema;
/* The i-th one; NULL behind the last. */
const Schema *schema_at(size_t i);
/* Choices of what is asked and of what is answered. */
extern const char *const choice_roles[], *const choice_job_statuses[], *const choice_outcomes[];
extern const char *const choice_sync_statuses[], *const choice_sync_roles[],
                                                     *const choice_sync_directions[];

/* -- routes ---------------------------------------------------------------------------------------
 */

/* What it answers where all is well; without a status there is no further one. */
typedef struct RouteAnswer {
    unsigned status;
    const char *schema; /* NULL: any JSON, or of `media`: no JSON at all */
    const char *meaning;
    const char *media; /* NULL: application/json */
} RouteAnswer;

#define ROUTE_ANSWERS 8
#define ROLE_NOBODY (-1) /* no token is needed */
#define ROLE_PEER (-2)   /* no token helps: only a peer may ask (serve/peer_auth.h) */

typedef struct Ask Ask;
/* Fills the reply in, or returns the error that becomes it. */
typedef Error *(*RouteHandler)(Ask *a);

typedef struct Route {
    const char *method;
    const char *path;   /* "{name}" is any segment, "{name}.dump" any that ends so */
    int role;           /* a StateRole, ROLE_NOBODY, or ROLE_PEER */
    const char *action; /* of the audit log; NULL where it changes nothing */
    RouteHandler handler;
    const char *id;                    /* of the operation: "listBackups" */
    const char *summary, *help, *part; /* part: what stands for {...}; help and part may be NULL */
    const Field *query, *body;         /* NULL: there are none */
    RouteAnswer answers[ROUTE_ANSWERS];
    KindSet errors; /* besides those that any route may answer */
    bool bytes;     /* the body is no JSON but bytes, the handler's to look at */
} Route;

/* The i-th one, in the order in which they are tried; NULL behind the last. */
const Route *route_at(size_t i);

#endif
