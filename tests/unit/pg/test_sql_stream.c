#include "../unit.h"

#include "pg/sql_stream.h"

/* Everything taken, as one text: "S:...|" a statement, "C:...|" one with rows, "R:...|" rows, "E|"
 * their end, "M:...|" a command. */
static void put(Buf *b, const char *kind, const void *p, size_t n)
{
    buf_add_str(b, kind);
    buf_add(b, p, n);
    buf_u8(b, '|');
}

static SqlStream *stream; /* the one that is read */

static Error *take_statement(void *ctx, const char *sql, bool copy)
{
    while (*sql == ' ' || *sql == '\n')
        sql++;
    put(ctx, copy ? "C:" : "S:", sql, strlen(sql));
    if (!strcmp(sql, "off") || !strcmp(sql, "on"))
        sql_stream_standard(stream, !strcmp(sql, "on"));
    return NULL;
}

static Error *take_rows(void *ctx, const void *p, size_t n)
{
    put(ctx, "R:", p, n);
    return NULL;
}

static Error *take_end(void *ctx)
{
    put(ctx, "E", "", 0);
    return NULL;
}

static Error *take_command(void *ctx, const char *line)
{
    put(ctx, "M:", line, strlen(line));
    return NULL;
}

static Error *run(const char *sql, size_t slice, Buf *out)
{
    SqlTake take = {.statement = take_statement,
                    .rows = take_rows,
                    .rows_end = take_end,
                    .command = take_command,
                    .ctx = out};
    AUTO(SqlStream) s = stream = sql_stream_new(&take);
    for (size_t at = 0, n = strlen(sql); at < n; at += slice)
        TRY(sql_stream_write(s, sql + at, n - at < slice ? n - at : slice));
    return sql_stream_end(s);
}

/* The same in every portion. */
static void gives(const char *sql, const char *expected)
{
    for (size_t slice = 1; slice < strlen(sql) + 1; slice += 1 + slice / 3) {
        AUTO_VALUE(Buf) out = {0};
        OK(run(sql, slice, &out));
        AUTO(char) got = buf_steal_str(&out);
        assert_string_equal(got, expected);
    }
}

static void test_statements(void **state)
{
    (void)state;
    gives("a; b ;;\nc", "S:a|S:b |S:c|");
    gives("SELECT ';'; x", "S:SELECT ';'|S:x|");
    gives("SELECT 'it''s;'; x", "S:SELECT 'it''s;'|S:x|");
    gives("SELECT \";\"\"\"; x", "S:SELECT \";\"\"\"|S:x|");
    gives("-- a;b\nx; /* ; /* ; */ ; */ y", "S:-- a;b\nx|S:/* ; /* ; */ ; */ y|");
    gives("-- only a comment", "");
    gives("a(1;2); b", "S:a(1;2)|S:b|");
}

static void test_strings(void **state)
{
    (void)state;
    gives("SELECT E'\\';'; x", "S:SELECT E'\\';'|S:x|");
    gives("SELECT e'a\\\\'; x", "S:SELECT e'a\\\\'|S:x|");
    gives("SELECT E'a''\\';'; x", "S:SELECT E'a''\\';'|S:x|");
    gives("SELECT '\\'; x", "S:SELECT '\\'|S:x|");
    gives("off; SELECT '\\';'; on; '\\'; x", "S:off|S:SELECT '\\';'|S:on|S:'\\'|S:x|");
    gives("SELECT $$;'$$; x", "S:SELECT $$;'$$|S:x|");
    gives("SELECT $a$;$b$;$$;$a$; x", "S:SELECT $a$;$b$;$$;$a$|S:x|");
    gives("SELECT $a$$a$; x", "S:SELECT $a$$a$|S:x|");
    gives("SELECT $1; SELECT a$b$c; x", "S:SELECT $1|S:SELECT a$b$c|S:x|");
    gives("SELECT $a$ $a $a$; x", "S:SELECT $a$ $a $a$|S:x|");
}

static void test_bodies_of_routines(void **state)
{
    (void)state;
    gives("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END; x",
          "S:CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END|S:x|");
    gives("CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC a; END; x",
          "S:CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC a; END|S:x|");
    gives("BEGIN; x; END; y", "S:BEGIN|S:x|S:END|S:y|");
}

static void test_rows(void **state)
{
    (void)state;
    gives("COPY t (a, b) FROM stdin;\n1\t;\n\\.x\n\n\\.\nx;",
          "C:COPY t (a, b) FROM stdin|R:1\t;\n|R:\\.x\n|R:\n|E|S:x|");
    gives("COPY t FROM STDIN WITH (FORMAT text);\n\\.\nx",
          "C:COPY t FROM STDIN WITH (FORMAT text)|E|S:x|");
    gives("COPY t FROM stdin;\r\na\r\n\\.\r\nx", "C:COPY t FROM stdin|R:a\r\n|E|S:x|");
    gives("COPY t FROM stdin; -- ;-\n-- a\n\\.\n; b", "C:COPY t FROM stdin|R:-- a\n|E|S:b|");
    gives("COPY t FROM stdin;\na\n\\.", "C:COPY t FROM stdin|R:a\n|E|");
    gives("COPY (SELECT x FROM stdin) TO stdout; y", "S:COPY (SELECT x FROM stdin) TO stdout|S:y|");
    gives("COPY t FROM 'stdin'; y", "S:COPY t FROM 'stdin'|S:y|");
}

static void test_commands(void **state)
{
    (void)state;
    gives("\\restrict abc\na;\n\\connect \"x;y\"\r\nb",
          "M:\\restrict abc|S:a|M:\\connect \"x;y\"|S:b|");
    gives("-- c\n\\x", "M:\\x|");
    gives("SELECT a \\gexec;x", "S:SELECT a \\gexec|S:x|");
}

static void test_cut_short(void **state)
{
    (void)state;
    static const char *const texts[] = {"SELECT 'a",
                                        "SELECT \"a",
                                        "/* a",
                                        "SELECT $x$ a $y$",
                                        "COPY t FROM stdin;\na",
                                        "COPY t FROM stdin;\na\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO_VALUE(Buf) out = {0};
        FAILS(ERR_ARCHIVE, run(texts[i], 3, &out));
    }
}

static void test_the_last_line_of_pg_dump(void **state)
{
    (void)state;
    gives(
        "--\n-- PostgreSQL database dump\n--\n\na;\n--\n-- PostgreSQL database dump complete\n--\n",
        "S:--\n-- PostgreSQL database dump\n--\n\na|");
    gives("-- PostgreSQL database dump\r\na; -- PostgreSQL database dump\n$$\n-- PostgreSQL "
          "database dump\n$$;\n"
          "-- PostgreSQL database dump complete",
          "S:-- PostgreSQL database dump\r\na|S:-- PostgreSQL database dump\n$$\n-- PostgreSQL "
          "database dump\n$$|");
    AUTO_VALUE(Buf) out = {0};
    FAILS(ERR_ARCHIVE, run("--\n-- PostgreSQL database dump\n--\n\na;\n", 7, &out));
}

/* psql would run it behind the rows; it must not be lost. */
static void test_more_on_the_line_of_a_copy(void **state)
{
    (void)state;
    static const char *const texts[] = {"COPY t FROM stdin; x;\na\n\\.\n",
                                        "COPY t FROM stdin;- -\na\n\\.\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t slice = 1; slice < 40; slice += 13) {
            AUTO_VALUE(Buf) out = {0};
            FAILS(ERR_ARCHIVE, run(texts[i], slice, &out));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bodies_of_routines),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_the_last_line_of_pg_dump),
        cmocka_unit_test(test_more_on_the_line_of_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
