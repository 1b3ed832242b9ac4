#include "notify_kit.h"

#include "crypto/hash.h"
#include "op/notify_send.h"
#include "op/notify_shape.h"

static Doc *failure(const char *database)
{
    StateJob j = {.id = 17,
                  .kind = "backup",
                  .entry = "main",
                  .database = (char *)database,
                  .trigger = "schedule",
                  .status = JOB_FAILED,
                  .created = KIT_NOW - 13000,
                  .started = KIT_NOW - 12300,
                  .ended = KIT_NOW,
                  .attempt = 2,
                  .error_kind = "CONNECT",
                  .error_message = "cannot connect to db:5432: refused",
                  .error_hint = "is the server running?"};
    Doc *d = notify_note(&(NoteFacts){.event = NOTIFY_FAILURE,
                                      .entry = j.entry,
                                      .database = j.database,
                                      .server = "db:5432",
                                      .kind = j.kind,
                                      .job = &j,
                                      .now = KIT_NOW});
    doc_set_str(d, "host", "nova"); /* not this machine's */
    doc_set_str(d, "version", "1.2.3");
    doc_set_str(d, "look", "`pgstow jobs` on nova: job 17, with its log");
    return d;
}

#define TEXT                                                                                       \
    "database  shop\n"                                                                             \
    "entry     main\n"                                                                             \
    "server    db:5432\n"                                                                          \
    "began     2023-11-14 22:13:07 UTC\n"                                                          \
    "took      12.3 s\n"                                                                           \
    "error     cannot connect to db:5432: refused\n"                                               \
    "hint      is the server running?\n"                                                           \
    "\n"                                                                                           \
    "What to do:\n"                                                                                \
    "Run `pgstow doctor` with the same settings: it looks at what the run needs, and names "       \
    "remedies. You are told again when it works, or when it fails for another reason.\n"           \
    "\n"                                                                                           \
    "Where to look:\n"                                                                             \
    "`pgstow jobs` on nova: job 17, with its log\n"                                                \
    "\n"                                                                                           \
    "pgstow 1.2.3 on nova, 2023-11-14 22:13:20 UTC\n"
#define TITLE "backup of shop failed: the database server could not be reached"

static void test_text(void **state)
{
    (void)state;
    AUTO(Doc) d = failure("shop");
    AUTO(char) subject = shape_subject(d);
    AUTO(char) text = shape_text(d);
    assert_string_equal(subject, "[pgstow] " TITLE);
    assert_string_equal(text, TITLE "\n\n" TEXT);
    AUTO(Doc) odd = failure("a\r\nBcc: x@y.z");
    AUTO(char) safe = shape_subject(odd);
    assert_null(strpbrk(safe, "\r\n"));
}

static void test_webhook(void **state)
{
    (void)state;
    AUTO(Doc) d = failure("shop");
    AUTO(char) body = shape_body(CHANNEL_WEBHOOK, d, NULL);
    AUTO(Doc) back = NULL;
    OK(doc_parse(body, strlen(body), "it", &back));
    doc_remove(back, "next");
    doc_remove(back, "look");
    AUTO(char) rest = doc_print(back, false);
    assert_string_equal(
        rest, "{\"event\": \"failure\", \"bad\": true, \"title\": \"" TITLE "\", "
              "\"at\": \"2023-11-14T22:13:20.000Z\", \"host\": \"nova\", \"version\": \"1.2.3\", "
              "\"entry\": \"main\", \"database\": \"shop\", \"server\": \"db:5432\", "
              "\"job\": {\"id\": 17, \"kind\": \"backup\", \"status\": \"failed\", "
              "\"trigger\": \"schedule\", \"attempt\": 2, "
              "\"startedAt\": \"2023-11-14T22:13:07.700Z\", "
              "\"endedAt\": \"2023-11-14T22:13:20.000Z\", \"duration\": 12300}, "
              "\"error\": {\"kind\": \"CONNECT\", \"message\": \"cannot connect to db:5432: "
              "refused\", \"hint\": \"is the server running?\"}}");
}

static void test_signature(void **state)
{
    (void)state;
    char out[SHAPE_SIGNATURE];
    uint8_t sum[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    AUTO(Secret) key = secret_copy("topsecret", 9);
    shape_sign(key, "1700000000", "{\"a\": 1}", out);
    /* printf '1700000000.{"a": 1}' | openssl dgst -sha256 -hmac topsecret */
    assert_string_equal(out,
                        "sha256=5dea5085a8a20b56e9a5d4d03ea578df8381814e7102fc6fd0d4d8d5ff82124c");
    /* RFC 4231, cases 2 and 6: keys shorter and longer than a block */
    hash_sign("Jefe", 4, "what do ya want for nothing?", 28, sum);
    text_hex(sum, sizeof sum, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    uint8_t aa[131];
    memset(aa, 0xaa, sizeof aa);
    const char *data = "Test Using Larger Than Block-Size Key - Hash Key First";
    hash_sign(aa, sizeof aa, data, strlen(data), sum);
    text_hex(sum, sizeof sum, hex);
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* The same document as the text says, whatever its spaces. */
static void same(const char *got, const char *expected)
{
    AUTO(Doc) d = NULL;
    OK(doc_parse(expected, strlen(expected), "the test", &d));
    AUTO(char) text = doc_print(d, false);
    assert_string_equal(got, text);
}

static char *json_text(const char *text)
{
    AUTO(Doc) d = doc_array();
    doc_push_str(d, text);
    AUTO(char) s = doc_print(d, false);
    return mem_strndup(s + 1, strlen(s) - 2);
}

static char *without_backticks(const char *text)
{
    char *s = mem_strdup(text);
    for (char *p = s; *p; p++)
        if (*p == '`')
            *p = '\'';
    return s;
}

static void test_chats(void **state)
{
    (void)state;
    AUTO(Doc) d = failure("shop");
    AUTO(char) plain = without_backticks(TEXT);
    AUTO(char) slack_text = mem_printf("[pgstow] %s\n```%s```", TITLE, plain);
    AUTO(char) discord_text = mem_printf("```\n%s```", plain);
    AUTO(char) in_slack = json_text(slack_text);
    AUTO(char) in_discord = json_text(discord_text);
    AUTO(char) in_ntfy = json_text(plain);
    AUTO(char) in_telegram = json_text(TITLE "\n\n" TEXT);
    AUTO(char) slack = shape_body(CHANNEL_SLACK, d, NULL);
    AUTO(char) discord = shape_body(CHANNEL_DISCORD, d, NULL);
    AUTO(char) telegram = shape_body(CHANNEL_TELEGRAM, d, "-100");
    AUTO(char) ntfy = shape_body(CHANNEL_NTFY, d, "mytopic");
    AUTO(char) slack_is = mem_printf("{\"text\": %s}", in_slack);
    AUTO(char)
    discord_is =
        mem_printf("{\"username\": \"pgstow\", \"embeds\": [{\"title\": \"[pgstow] %s\", "
                   "\"description\": %s, \"color\": 14034728, \"timestamp\": "
                   "\"2023-11-14T22:13:20.000Z\"}], \"allowed_mentions\": {\"parse\": []}}",
                   TITLE, in_discord);
    AUTO(char)
    telegram_is = mem_printf("{\"chat_id\": \"-100\", \"text\": %s, "
                             "\"disable_web_page_preview\": true}",
                             in_telegram);
    AUTO(char)
    ntfy_is = mem_printf("{\"topic\": \"mytopic\", \"title\": \"[pgstow] %s\", \"message\": %s, "
                         "\"priority\": 4, \"tags\": [\"warning\"]}",
                         TITLE, in_ntfy);
    same(slack, slack_is);
    same(discord, discord_is);
    same(telegram, telegram_is);
    same(ntfy, ntfy_is);
    AUTO(Doc) odd = failure("<!channel> & ```x");
    AUTO(char) escaped = shape_body(CHANNEL_SLACK, odd, NULL);
    assert_null(strchr(escaped, '<'));
    assert_non_null(strstr(escaped, "&lt;!channel&gt; &amp; "));
}

/* Whatever was said, it fits. */
static void test_large(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) huge = {0};
    for (int i = 0; i < 60000; i++)
        buf_add_str(&huge, i % 2 ? "\xf0\x9f\x90\x98" : "\x01");
    AUTO(char) text = buf_steal_str(&huge);
    StateJob j = {.id = 1,
                  .kind = "backup",
                  .entry = "",
                  .database = text,
                  .trigger = text,
                  .status = JOB_FAILED,
                  .error_kind = "DB",
                  .error_message = text,
                  .error_hint = text};
    AUTO(Doc)
    d = notify_note(&(NoteFacts){.event = NOTIFY_FAILURE,
                                 .kind = "backup",
                                 .database = "shop",
                                 .server = "db",
                                 .job = &j,
                                 .now = KIT_NOW});
    AUTO(char) payload = doc_print(d, false);
    assert_true(strlen(payload) < STATE_PAYLOAD_MAX);
    static const Channel chats[] = {CHANNEL_SLACK, CHANNEL_DISCORD, CHANNEL_TELEGRAM, CHANNEL_NTFY};
    for (size_t i = 0; i < sizeof chats / sizeof *chats; i++) {
        AUTO(char) body = shape_body(chats[i], d, "x");
        AUTO(Doc) back = NULL;
        OK(doc_parse(body, strlen(body), "it", &back));
        assert_true(strlen(body) < 24000);
    }
}

static void test_addresses(void **state)
{
    static const char *const pings[][3] = {
        {"https://hc-ping.com/abc", "started", "https://hc-ping.com/abc/start"},
        {"https://hc-ping.com/abc", "success", "https://hc-ping.com/abc"},
        {"https://hc-ping.com/abc/", "failure", "https://hc-ping.com/abc/fail"},
        {"https://hc-ping.com/abc", "damage", "https://hc-ping.com/abc/fail"},
        {"https://hc-ping.com/abc?rid=1", "failure", "https://hc-ping.com/abc/fail?rid=1"},
        {"https://hc-ping.com/abc", "test", "https://hc-ping.com/abc/log"},
    };
    static const char *const topics[][3] = {
        {"https://ntfy.sh/mytopic", "https://ntfy.sh/", "mytopic"},
        {"https://a.b/under/mytopic/", "https://a.b/under/", "mytopic"},
        {"https://ntfy.sh/mytopic?x=1", "https://ntfy.sh/", "mytopic"},
        {"https://ntfy.sh", NULL, NULL},
        {"https://ntfy.sh/", NULL, NULL},
        {"mytopic", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pings / sizeof *pings; i++) {
        AUTO(char) got = shape_ping_url(pings[i][0], pings[i][1]);
        assert_string_equal(got, pings[i][2]);
    }
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        AUTO(char) root = NULL;
        AUTO(char) topic = NULL;
        assert_int_equal(shape_ntfy(topics[i][0], &root, &topic), topics[i][1] != NULL);
        if (topics[i][1]) {
            assert_string_equal(root, topics[i][1]);
            assert_string_equal(topic, topics[i][2]);
        }
    }
}

/* Every event has its own title, and nothing of another's. */
static void test_events(void **state)
{
    (void)state;
    static const char *const titles[NOTIFY_EVENTS] = {
        [NOTIFY_FAILURE] = "backup of shop failed",
        [NOTIFY_SUCCESS] = "backup of shop was made",
        [NOTIFY_RECOVERED] = "backup of shop works again",
        [NOTIFY_MISSED] = "backup of shop was missed",
        [NOTIFY_STALE] = "no good backup of shop since 2023-11-14 22:13:20 UTC",
        [NOTIFY_ANOMALY] = "backup of shop is unlike the last ones: ",
        [NOTIFY_DAMAGE] = "stored backups are damaged: backup of shop found it",
        [NOTIFY_DISK_LOW] = "the disk is nearly full",
        [NOTIFY_DRILL_FAILED] = "backup of shop failed",
        [NOTIFY_HOOK_FAILED] = "the hook after the backup of shop failed",
        [NOTIFY_TEST] = "a test from ",
        [NOTIFY_STARTED] = "backup of shop has begun",
    };
    for (unsigned i = 0; i < NOTIFY_EVENTS; i++) {
        NotifyEvent back;
        AUTO(Doc)
        d = notify_note(&(NoteFacts){.event = (NotifyEvent)i,
                                     .kind = "backup",
                                     .database = "shop",
                                     .since = KIT_NOW,
                                     .now = KIT_NOW});
        assert_true(text_starts(doc_str(d, "title", ""), titles[i]));
        assert_true(notify_event_of(notify_event_name((NotifyEvent)i), &back));
        assert_int_equal(back, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),      cmocka_unit_test(test_webhook),
        cmocka_unit_test(test_signature), cmocka_unit_test(test_chats),
        cmocka_unit_test(test_large),     cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
