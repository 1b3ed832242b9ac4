/* Findings: what a check of the surroundings (doctor, a restore's preflight) found, each with a
 * remedy. */
#ifndef PGSTOW_BASE_FINDING_H
#define PGSTOW_BASE_FINDING_H

#include "base/error.h"

typedef enum FindingLevel {
    FINDING_OK,
    FINDING_NOTE,
    FINDING_WARNING,
    FINDING_PROBLEM
} FindingLevel;
typedef struct Finding {
    FindingLevel level;
    char *title;  /* a few words: "pg_dump" */
    char *detail; /* what is the case */
    char *remedy; /* what to do; NULL where nothing is to be done */
} Finding;
typedef struct FindingList {
    Finding *items;
    size_t count, cap;
} FindingList;

/* detail and remedy are copied; remedy may be NULL. */
void finding_add(FindingList *l, FindingLevel level, const char *title, const char *detail,
                 const char *remedy);
/* An error as a problem: its message and hint. Frees e. */
void finding_add_error(FindingList *l, const char *title, Error *e);
bool finding_has_problem(const FindingList *l);
void finding_list_clear(FindingList *l);
DEFINE_AUTO_VALUE(FindingList, finding_list_clear)

#endif
