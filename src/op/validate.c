#include "op/validate.h"

#include "op/consistency.h"

Error *op_validate(const OpContext *c, const ValidateOptions *given, ValidateReport *out)
{
    AUTO(Conn) like = NULL;
    ValidateOptions o = *given;
    o.jobs = op_jobs(c);
    o.job = c->job;
    o.cancel = job_cancel(c->job);
    job_phase(c->job, "connecting", 0, 0);
    TRY(op_connect(c, NULL, &like));
    TRY(validate_run(like, &o, out));
    return consistency_error(out);
}
