/* The list `peers:`. */
#include "sources.h"

#include "base/doc.h"
#include "config/config_doc.h"
#include "config/peers.h"

static void test_all_keys(void **state)
{
    AUTO(Config) c = NULL;
    sources_write(
        *state, "pgstow.yaml",
        "peers:\n"
        "  - name: berlin\n"
        "    url: https://berlin.example.com:8443\n"
        "    nodeId: db1.berlin\n"
        "    keyFile: /etc/pgstow/berlin.key\n"
        "    caFile: /etc/ca.pem\n"
        "    entry: shop\n"
        "    repoPassphraseCommand: pass show repo\n"
        "  - {name: plain, url: 'http://[::1]:8080/behind/', insecure: yes, keyFile: }\n"
        "  - {name: both, url: https://x, nodeId: x, keyCommand: pass x, legacyHeader: true}\n"
        "jobs: 2\n");
    OK(sources_load(*state, &c));
    const ConfigPeer *p = config_peer(c, 0);
    assert_string_equal(p->name, "berlin");
    assert_string_equal(p->url, "https://berlin.example.com:8443");
    assert_string_equal(p->node, "db1.berlin");
    assert_string_equal(p->repo_passphrase_command, "pass show repo");
    assert_null(p->repo_key_file);
    assert_true(config_peer_has_key(p));
    assert_false(config_peer_legacy(p)); /* it has a key of its own */
    assert_false(config_peer_insecure(p));
    p = config_peer(c, 1);
    assert_false(config_peer_has_key(p)); /* nothing behind the colon: not set */
    assert_true(config_peer_legacy(p));
    assert_true(config_peer_insecure(p));
    assert_true(config_peer_legacy(config_peer(c, 2)));
    assert_null(config_peer(c, 3));
    assert_int_equal(config_int(c, SETTING_JOBS), 2);
    AUTO(Doc) d = config_doc(c);
    const Doc *first = doc_at(doc_get(d, "peers"), 0);
    assert_string_equal(doc_str(first, "keyFile", ""), "/etc/pgstow/berlin.key");
    assert_false(doc_has(first, "keyCommand"));
}

static void test_none(void **state)
{
    static const char *const texts[] = {"peers:\n", "peers: []\n", "jobs: 1\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO(Config) c = NULL;
        sources_write(*state, "pgstow.yaml", texts[i]);
        OK(sources_load(*state, &c));
        assert_null(config_peer(c, 0));
    }
}

#define PEER "peers:\n  - name: a\n    url: https://a\n"

static void test_refused(void **state)
{
    static const char *const cases[][3] = {
        {"peers: a\n", "pgstow.yaml:1: peers is a list", "- name: "},
        {"peers: {name: a}\n", "pgstow.yaml:1: peers is a list", NULL},
        {"peers: [a]\n", "pgstow.yaml:1: an entry of peers has keys", NULL},
        {"peers:\n  - url: https://a\n", "pgstow.yaml:2: this peer has no name", NULL},
        {"peers:\n  - name: a\n", "pgstow.yaml:2: the peer a has no url", "https://"},
        {PEER "    nodeid: b\n", "pgstow.yaml:4: a peer has no \"nodeid\"",
         "did you mean \"nodeId\"?"},
        {PEER "    key: b\n", "pgstow.yaml:4: a peer has no \"key\"", "keyFile"},
        {PEER "    url: https://b\n", "pgstow.yaml:4: \"url\" is there twice", NULL},
        {PEER "    entry: [b]\n", "pgstow.yaml:4: a peer has keys, each with one value", NULL},
        {PEER "    entry: \"a\\nb\"\n", "pgstow.yaml:4: entry cannot be", "one line"},
        {PEER "    insecure: perhaps\n", "insecure cannot be \"perhaps\"", "true or false"},
        {PEER "    nodeId: a/b\n", "nodeId cannot be \"a/b\"", "letters"},
        {PEER "    keyFile: x\n", "the peer a has a key and no nodeId", "sync.nodeId"},
        {PEER "    legacyHeader: false\n", "legacyHeader: false and no key", "keyFile"},
        {PEER "    nodeId: a\n    keyFile: x\n    keyCommand: y\n", "both keyFile and keyCommand",
         NULL},
        {PEER "    repoKeyFile: x\n    repoPassphraseCommand: y\n", "both repoKeyFile and", NULL},
        {PEER "  - name: a\n    url: https://b\n", "pgstow.yaml:4: a second peer \"a\"", NULL},
        {"databases:\n  - name: s\n    peers: []\n", "unknown key \"peers\"", NULL},
        {PEER "peers: []\n", "\"peers\" is there twice", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        sources_yaml_refused(*state, cases[i][0], cases[i][1], cases[i][2]);
}

/* An address may hold a password: it is not repeated. */
static void test_addresses(void **state)
{
    static const char *const bad[] = {"berlin",
                                      "ftp://a",
                                      "https://",
                                      "https:///x",
                                      "https://u:SECRET@a",
                                      "https://a?SECRET",
                                      "https://a#SECRET",
                                      "'https://a SECRET'"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO(char) text = mem_printf("peers:\n  - {name: a, url: %s}\n", bad[i]);
        AUTO(char)
        quoted = strchr(bad[i], '#') ? mem_printf("peers:\n  - {name: a, url: '%s'}\n", bad[i])
                                     : mem_strdup(text);
        AUTO(Config) c = NULL;
        sources_write(*state, "pgstow.yaml", quoted);
        AUTO(Error) e = sources_load(*state, &c);
        if (!e)
            fail_msg("%s is taken", bad[i]);
        assert_int_equal(error_kind(e), ERR_CONFIG);
        assert_null(strstr(error_message(e), "SECRET"));
    }
}

/* Whoever can leave a file where we are run must not get a program of his started. */
static void test_programs_from_foreign_files(void **state)
{
    static const char *const keys[] = {"keyCommand", "registrationKeyCommand",
                                       "repoPassphraseCommand"};
    Sources *s = *state;
    if (geteuid() != 0)
        return;
    for (size_t i = 0; i < 3; i++) {
        AUTO(char) path = file_join(s->dir, "pgstow.yaml");
        AUTO(char) text = mem_printf(PEER "    nodeId: a\n    %s: evil\n", keys[i]);
        sources_write(s, "pgstow.yaml", text);
        assert_int_equal(chown(path, 12345, 12345), 0);
        sources_refused(s, ERR_CONFIG, "belongs to another user (12345)", "--config");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(test_all_keys),
        SOURCES_TEST(test_none),
        SOURCES_TEST(test_refused),
        SOURCES_TEST(test_addresses),
        SOURCES_TEST(test_programs_from_foreign_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
