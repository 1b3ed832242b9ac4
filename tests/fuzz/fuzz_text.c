/* Commands split into words, and text made fit for files, terminals, SQL and connections. */
#include "base/doc.h"
#include "base/proc.h"
#include "base/text.h"
#include "fuzz.h"

static void check_escapes(const char *text)
{
    AUTO(char) name = text_escape_name(text);
    AUTO(char) shown = text_printable(text);
    AUTO(char) ident = text_sql_ident(text);
    AUTO(char) literal = text_sql_literal(text);
    AUTO(char) conninfo = text_conninfo_value(text);
    for (const char *c = name; *c; c++)
        MUST((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
             strchr("_-.%", *c));
    MUST(*name != '.');
    for (const char *c = shown; *c; c++)
        MUST((unsigned char)*c >= 32 && *c != 127);
    MUST(strlen(ident) >= strlen(text) + 2 && strlen(literal) >= strlen(text) + 2);
    MUST(strlen(conninfo) >= strlen(text));
}

static void check_split(const char *text)
{
    AUTO_VALUE(StrList) words = {0};
    AUTO_VALUE(StrList) again = {0};
    AUTO_VALUE(Buf) quoted = {0};
    if (!succeeded(proc_split(text, &words)))
        return;
    for (size_t i = 0; i < words.count; i++) {
        buf_add_str(&quoted, " '");
        for (const char *c = words.items[i]; *c; c++) {
            if (*c == '\'')
                buf_add_str(&quoted, "'\\'");
            buf_u8(&quoted, (uint8_t)*c);
        }
        buf_add_str(&quoted, "'");
    }
    AUTO(char) command = buf_steal_str(&quoted);
    MUST(succeeded(proc_split(command, &again)) && again.count == words.count);
    for (size_t i = 0; i < words.count; i++)
        MUST(strcmp(words.items[i], again.items[i]) == 0);
}

/* Whatever bytes go in, JSON must come out. */
static void check_json(const char *text)
{
    AUTO(Doc) d = doc_object();
    doc_set_str(d, "text", text);
    AUTO(char) printed = doc_print(d, false);
    AUTO(Doc) again = NULL;
    MUST(succeeded(doc_parse(printed, strlen(printed), "what was printed", &again)));
    MUST(doc_str(again, "text", NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"backup", "restore", "verify", "list"};
    AUTO(char) text = input_text(data, size);
    check_escapes(text);
    check_split(text);
    check_json(text);
    text_nearest(text, names, 4);
    uint8_t bytes[16];
    char hex[33];
    if (text_unhex(text, bytes, sizeof bytes)) {
        text_hex(bytes, sizeof bytes, hex);
        MUST(text_equal_nocase(hex, text));
    }
    return 0;
}
