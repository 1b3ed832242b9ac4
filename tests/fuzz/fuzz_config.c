/* Settings from files. The first byte says which: 'y' the YAML file, otherwise .env; the rest is
 * the file. */
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "config/config.h"
#include "fuzz.h"

static char folder[] = "/tmp/pgstow-fuzz-XXXXXX";

static void drop_folder(void)
{
    AUTO(char) yaml = file_join(folder, "pgstow.yaml");
    AUTO(char) dotenv = file_join(folder, ".env");
    unlink(yaml);
    unlink(dotenv);
    rmdir(folder);
}

static void write_file(const char *name, const uint8_t *data, size_t size)
{
    AUTO(char) path = file_join(folder, name);
    /* A new file each time: ext4 writes one that was cut to nothing out to the disk at once. */
    unlink(path);
    AUTO_VALUE(Fd) fd = {open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    MUST(fd.n >= 0);
    MUST(succeeded(file_write_all(fd.n, data, size, path)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *none[] = {NULL};
    static bool made;
    if (!made) {
        MUST(mkdtemp(folder));
        atexit(drop_folder);
        made = true;
    }
    if (!size)
        return 0;
    bool yaml = data[0] == 'y';
    write_file("pgstow.yaml", data + 1, yaml ? size - 1 : 0);
    write_file(".env", data + 1, yaml ? 0 : size - 1);
    ConfigInputs in = {.environment = none, .dir = folder, .system_dir = folder};
    AUTO(Config) c = NULL;
    if (!succeeded(config_load(&in, &c)))
        return 0;
    for (SettingId id = 0; id < SETTINGS; id++) {
        AUTO(char) shown = config_shown(c, id);
        MUST(config_origin(c, id));
    }
    config_libpq(c);
    return 0;
}
