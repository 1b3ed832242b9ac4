/* What --where and --mask say, as text: "schema.table: condition", "schema.table.column:
 * expression".
 */
#ifndef PGSTOW_PG_FILTER_SPEC_H
#define PGSTOW_PG_FILTER_SPEC_H

#include "base/text.h"

typedef struct FilterSpec {
    const char *option; /* "--where" or "--mask", for messages; borrowed */
    StrList name;       /* the parts before the colon, without quotes */
    char *text;         /* what follows: one expression as far as parentheses tell */
} FilterSpec;
void filter_spec_clear(FilterSpec *s);
DEFINE_AUTO_VALUE(FilterSpec, filter_spec_clear)

/* least to most parts of a name. ERR_USAGE, also where the text is more than one expression: that
 * guards against slips, not against whoever may give SQL anyway. */
Error *filter_spec_parse(const char *option, const char *given, size_t least, size_t most,
                         FilterSpec *out) MUST_CHECK;

/* The expression with what tells the time (now(), CURRENT_TIMESTAMP, CURRENT_DATE ...) replaced by
 * `now`, a timestamp with time zone as SQL writes it: every connection that reads a backup has a
 * now() of its own, and a row would be in or out depending on which one asks. Caller frees. */
char *filter_fix_time(const char *expression, const char *now);

/* The names before an opening parenthesis: functions, mostly. "lower", "public.digest". */
void filter_functions(const char *expression, StrList *out);

#endif
