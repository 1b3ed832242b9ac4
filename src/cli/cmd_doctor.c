#include "op/doctor.h"

#include <stdio.h>

#include "cli/command.h"
#include "cli/findings.h"

static Error *work_doctor(Run *run, void *arg)
{
    return op_doctor(&run->op, arg);
}

static Error *verdict(const FindingList *l)
{
    size_t problems = 0;
    for (size_t i = 0; i < l->count; i++)
        problems += l->items[i].level == FINDING_PROBLEM;
    if (!problems)
        return NULL;
    return error_hint(ERROR_NEW(ERR_PREFLIGHT, "%zu problem%s: a backup or restore would fail here",
                                problems, problems == 1 ? "" : "s"),
                      "the remedies stand beside the problems");
}

Error *cmd_DOCTOR(Run *run)
{
    AUTO_VALUE(FindingList) findings = {0};
    TRY(run_with_progress(run, work_doctor, &findings));
    Error *e = verdict(&findings);
    if (run->json) {
        Doc *d = doc_object();
        doc_set_bool(d, "ready", !e);
        doc_set(d, "findings", findings_doc(&findings));
        run_result(run, d);
        return e;
    }
    findings_print(&findings);
    if (!e && !run->quiet)
        puts("everything that a backup needs is here");
    return e;
}
