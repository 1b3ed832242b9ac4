#include "cli/command.h"
#include "cli/service_flags.h"
#include "serve/serve.h"

Error *cmd_SERVE(Run *run)
{
    AUTO_VALUE(StrList) words = {0};
    ConfigInputs inputs = service_inputs(run);
    TRY(service_flags(run, &words));
    return serve_run(&(ServeOptions){
        .inputs = &inputs, .words = &words, .verbose = args_flag(run->args, SETTING_VERBOSE)});
}
