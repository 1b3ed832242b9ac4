/* Connection strings as people are shown them: what libpq takes for a password is never in it. */
#include <libpq-fe.h>

#include "config/setting.h"
#include "fuzz.h"

static bool is_password(const PQconninfoOption *o)
{
    return !strcmp(o->keyword, "password") || !strcmp(o->keyword, "sslpassword");
}

/* libpq must see three stars, or nothing, where it saw a password before. */
static void compare(const PQconninfoOption *before, const PQconninfoOption *after)
{
    for (; before->keyword; before++, after++)
        if (is_password(before) && before->val && *before->val && strcmp(before->val, "***") != 0)
            MUST(!after->val || strcmp(after->val, before->val) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(char) url = input_text(data, size);
    AUTO(char) shown = setting_redact_url(url);
    MUST(setting_url_has_secret(url) == (strcmp(shown, url) != 0));
    char *said = NULL;
    PQconninfoOption *before = PQconninfoParse(url, &said);
    PQfreemem(said);
    said = NULL;
    PQconninfoOption *after = before ? PQconninfoParse(shown, &said) : NULL;
    PQfreemem(said);
    if (before && after)
        compare(before, after);
    PQconninfoFree(before);
    PQconninfoFree(after);
    return 0;
}
