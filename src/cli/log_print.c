#include "cli/log_print.h"

#include <stdio.h>

#include "op/job_doc.h"

static void print_line(const StateLogLine *l)
{
    char time[CLOCK_TEXT];
    AUTO(char) shown = text_printable(l->line);
    printf("%s %s: %s\n", clock_iso(l->at, time), l->level, shown);
}

Error *log_print(State *s, LogRead read, const void *of, Doc *lines)
{
    int64_t after = 0;
    for (bool more = true; more;) {
        AUTO_VALUE(StateLog) log = {0};
        TRY(read(s, of, after, &log));
        more = log.more && log.count;
        if (log.dropped && !lines)
            printf("(%llu earlier lines are no longer kept)\n", (unsigned long long)log.dropped);
        for (size_t i = 0; i < log.count; i++) {
            after = log.items[i].n;
            if (lines)
                doc_push(lines, log_line_doc(&log.items[i]));
            else
                print_line(&log.items[i]);
        }
    }
    return NULL;
}
