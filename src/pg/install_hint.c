/* How to install PostgreSQL's client programs on the system at hand. */
#include <string.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "pg/tools.h"

#define OS_RELEASE_MAX ((size_t)64 << 10)

/* What a distribution brings itself. A newer pg_dump dumps older servers, so its one version does
 * for all servers up to that. */
static const struct {
    const char *codename;
    int major;
} debians[] = {
    {"buster", 11},   {"bullseye", 13}, {"bookworm", 15}, {"trixie", 17}, /* Debian 10 to 13 */
    {"bionic", 10},   {"focal", 12},    {"jammy", 14},    {"noble", 16}, /* Ubuntu 18.04 to 24.04 */
    {"oracular", 16}, {"plucky", 17},   {"questing", 17},                /* Ubuntu 24.10 to 25.10 */
};

static char *path_in(const char *root, const char *path)
{
    return mem_printf("%s%s", root ? root : "", path);
}

static bool exists_in(const char *root, const char *path)
{
    AUTO(char) full = path_in(root, path);
    return file_exists(full);
}

/* The text of a small file; "" where it cannot be read. */
static char *text_in(const char *root, const char *path)
{
    AUTO(char) full = path_in(root, path);
    AUTO_VALUE(Buf) b = {0};
    Error *e = file_read(full, OS_RELEASE_MAX, &b);
    if (e) {
        error_drop(e);
        return mem_strdup("");
    }
    return buf_steal_str(&b);
}

/* The value of KEY=value or KEY="value"; "" where there is none. */
static char *value_of(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; *p;) {
        size_t line = strcspn(p, "\n");
        if (line > n && !strncmp(p, key, n) && p[n] == '=') {
            const char *v = p + n + 1, *end = p + line;
            if (end - v >= 2 && (*v == '"' || *v == '\'') && end[-1] == *v) {
                v++;
                end--;
            }
            return mem_strndup(v, (size_t)(end - v));
        }
        p += line + (p[line] == '\n');
    }
    return mem_strdup("");
}

/* Whether one of the words of `list` is `word`. */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, " "), p += strspn(p, " "))
        if (!strncmp(p, word, n) && (!p[n] || p[n] == ' '))
            return true;
    return false;
}

static int debian_major(const char *release)
{
    static const char *const keys[] = {"UBUNTU_CODENAME", "DEBIAN_CODENAME", "VERSION_CODENAME"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        AUTO(char) codename = value_of(release, keys[k]);
        for (size_t i = 0; i < sizeof debians / sizeof *debians; i++)
            if (!strcmp(codename, debians[i].codename))
                return debians[i].major;
    }
    return 0;
}

static char *debian(const char *release, int major)
{
    int own = debian_major(release);
    if (!major)
        return mem_strdup("apt-get update && apt-get install -y postgresql-client");
    if (own && major <= own)
        return mem_printf("apt-get update && apt-get install -y postgresql-client-%d", own);
    /* PostgreSQL's own packages, by the script that Debian's postgresql-common brings. */
    return mem_printf("apt-get update && apt-get install -y postgresql-common ca-certificates && "
                      "/usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y && "
                      "apt-get install -y postgresql-client-%d",
                      major);
}

static char *redhat(const char *release, bool fedora, int major)
{
    AUTO(char) version = value_of(release, "VERSION_ID");
    version[strcspn(version, ".")] = 0;
    struct utsname system;
    const char *machine = uname(&system) == 0 ? system.machine : "x86_64";
    if (!major)
        return mem_strdup("dnf install -y postgresql");
    return mem_printf("dnf install -y https://download.postgresql.org/pub/repos/yum/reporpms/"
                      "%s-%s-%s/pgdg-%s-repo-latest.noarch.rpm && %sdnf install -y postgresql%d",
                      fedora ? "F" : "EL", *version ? version : "9", machine,
                      fedora ? "fedora" : "redhat",
                      fedora ? "" : "dnf -qy module disable postgresql; ", major);
}

/* The command, or a place to look, for what os-release says. */
static char *command(const char *release, bool mac, int major)
{
    AUTO(char) id = value_of(release, "ID");
    AUTO(char) like = value_of(release, "ID_LIKE");
    AUTO(char) ids = mem_printf("%s %s", id, like);
    if (mac)
        return major ? mem_printf("brew install postgresql@%d", major)
                     : mem_strdup("brew install libpq");
    if (has_word(ids, "debian") || has_word(ids, "ubuntu"))
        return debian(release, major);
    if (has_word(ids, "amzn"))
        return major ? mem_printf("dnf install -y postgresql%d", major)
                     : mem_strdup("dnf install -y postgresql17");
    if (has_word(id, "fedora"))
        return redhat(release, true, major);
    if (has_word(ids, "rhel") || has_word(ids, "centos") || has_word(ids, "fedora"))
        return redhat(release, false, major);
    if (has_word(ids, "alpine"))
        return major ? mem_printf("apk add postgresql%d-client", major)
                     : mem_strdup("apk add postgresql-client");
    if (has_word(ids, "arch"))
        return mem_strdup("pacman -S postgresql-libs");
    if (has_word(ids, "suse") || has_word(ids, "opensuse"))
        return major ? mem_printf("zypper install postgresql%d", major)
                     : mem_strdup("zypper install postgresql");
    if (has_word(ids, "freebsd"))
        return mem_printf("pkg install postgresql%d-client", major ? major : 17);
    return major ? mem_printf("install the client programs of PostgreSQL %d: "
                              "https://www.postgresql.org/download/",
                              major)
                 : mem_strdup("install PostgreSQL's client programs: "
                              "https://www.postgresql.org/download/");
}

char *tools_install_hint(const char *root, int major)
{
    bool mac = exists_in(root, "/System/Library/CoreServices/SystemVersion.plist");
    AUTO(char) release = text_in(root, "/etc/os-release");
    AUTO(char) kernel = text_in(root, "/proc/version");
    AUTO(char) how = command(release, mac, major);
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "install it%s: %s", mac ? "" : " (as root)", how);
    if (exists_in(root, "/.dockerenv") || exists_in(root, "/run/.containerenv"))
        buf_add_str(&b,
                    "\nthis is a container: put that into its image (RUN ... in the Dockerfile), "
                    "else it is gone with the container");
    if (strstr(kernel, "icrosoft"))
        buf_add_str(&b, "\nthis is Windows' subsystem for Linux: install it in here, the programs "
                        "of a PostgreSQL for Windows are not used");
    buf_add_str(&b,
                "\nor name one that is elsewhere: the settings tools.pgDump, tools.pgRestore and "
                "tools.psql take a program, a folder, or a command such as "
                "\"docker exec db pg_dump\"");
    return buf_steal_str(&b);
}
