/* What is for machines that watch. */
#include "serve/api_internal.h"
#include "serve/exposition.h"

Error *api_metrics(Ask *a)
{
    AUTO_VALUE(Buf) text = {0};
    TRY(metrics_write(a->api->metrics, a->config, &text));
    a->reply->status = 200;
    a->reply->type = EXPOSITION_TYPE;
    a->reply->text = buf_steal_str(&text);
    return NULL;
}
