/* pgstow-docs ROOT writes the generated documents into the source tree at ROOT; pgstow-docs --check
 * ROOT only compares and fails where one is stale. Part of the build, not of the program. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/gen.h"
#include "config/setting.h"
#include "serve/openapi.h"

#define DOCUMENT_MAX (4u << 20)

static void gen_sample(Buf *out)
{
    AUTO(char) text = setting_sample();
    buf_add_str(out, text);
}

static const struct {
    const char *path;
    void (*generate)(Buf *out);
} documents[] = {
    {"docs/generated/settings.md", gen_settings},
    {"docs/generated/commands.md", gen_commands},
    {"docs/generated/errors.md", gen_errors},
    {"docs/generated/pgstow.sample.yaml", gen_sample},
    {"docs/generated/openapi.json", openapi_gen},
    {"docs/man/pgstow.1", gen_man},
    {"completion/pgstow.bash", gen_completion},
};

static Error *compare(const char *path, const char *name, const Buf *wanted)
{
    AUTO_VALUE(Buf) there = {0};
    Error *e = file_read(path, DOCUMENT_MAX, &there);
    if (!e && there.len == wanted->len && !memcmp(there.data, wanted->data, there.len))
        return NULL;
    error_drop(e);
    return error_hint(ERROR_NEW(ERR_MISMATCH, "%s is stale", name),
                      "meson compile -C build docs writes it again");
}

static Error *run(const char *root, bool check)
{
    Error *first = NULL;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        AUTO_VALUE(Buf) text = {0};
        AUTO(char) path = file_join(root, documents[i].path);
        AUTO(char) dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
        documents[i].generate(&text);
        if (check) {
            first = error_first(first, compare(path, documents[i].path, &text));
            continue;
        }
        TRY(file_make_dir(dir, 0755));
        TRY(file_write_atomic(path, text.data, text.len, 0644));
    }
    return first;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && !strcmp(argv[1], "--check");
    if (argc != 2 && !check) {
        fputs("usage: pgstow-docs [--check] ROOT\n", stderr);
        return 2;
    }
    AUTO(Error) e = run(argv[argc - 1], check);
    if (!e)
        return 0;
    const char *hint = error_hint_text(e);
    fprintf(stderr, "pgstow-docs: %s\n%s%s\n", error_message(e), hint ? "hint: " : "",
            hint ? hint : "");
    return 1;
}
