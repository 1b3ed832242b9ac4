#!/usr/bin/python3
"""Does each special handling have a test that fails without it? (./dev mutants)

A scratch copy of the source is built as it is, and the named tests must pass. Then, one after another, each mutant
below changes one place of it, the program is built again, and its test must fail. A mutant that is not caught, or
whose text is not in the source any more (once, exactly), is an error: the last line is `N killed, N survived`.

A test is a pytest id below tests/e2e, or `unit:NAME` for the program tests/unit-NAME of the build folder.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"
NOT_COPIED = (".git", "build", "backups", ".pytest_cache")
FIDELITY = "test_fidelity.py::"
MORE = "test_fidelity_more.py::"


@dataclass
class Mutant:
    what: str  # the handling that is taken away
    file: str
    old: str
    new: str
    test: str
    select: str = ""


MUTANTS = [
    # ---- what a TABLE DATA entry is read from
    Mutant("the row condition of an extension's configuration table", "src/pg/source.c",
           ".condition = mem_strdup(rows_text(rows, r, 5))", ".condition = mem_strdup(\"\")",
           FIDELITY + "test_rows_are_equal"),
    Mutant("ONLY where a table with children is read in ranges", "src/pg/source.c",
           "FROM ONLY %s WHERE ctid >=", "FROM %s WHERE ctid >=", MORE + "test_a_split_table_with_children"),
    Mutant("quotes in column lists", "src/pg/source.c",
           "if (*p == '\"')\n            quoted = !quoted;", "if (*p == '\"')\n            quoted = false;",
           "unit:pg-source"),
    Mutant("names in quotes", "src/sql/table_sources.sql",
           "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),\n       c.relkind",
           "n.nspname::pg_catalog.text || '.' || pg_catalog.quote_ident(c.relname),\n       c.relkind",
           FIDELITY + "test_rows_are_equal"),
    Mutant("names of a LATIN1 database in UTF-8", "src/sql/table_sources.sql",
           "ELSE 'UTF8' END AS names", "ELSE pg_catalog.getdatabaseencoding() END AS names",
           "test_servers.py::test_latin1"),
    Mutant("a foreign table is read by a query", "src/pg/source.c",
           "|| s->relkind != 'r')", ")", "unit:pg-source"),
    # ---- sessions
    Mutant("search_path '' for reading", "src/pg/conn.c",
           "SET search_path = ''; SET statement_timeout = 0", "SET statement_timeout = 0",
           MORE + "test_schemas_that_shadow_pg_catalog"),
    Mutant("DateStyle for reading", "src/pg/conn_exec.c", "SET DateStyle = ISO; ", "",
           FIDELITY + "test_settings_of_the_caller_do_not_change_the_rows"),
    Mutant("extra_float_digits for reading", "src/pg/conn_exec.c", "SET extra_float_digits = 3; ", "",
           FIDELITY + "test_settings_of_the_caller_do_not_change_the_rows"),
    Mutant("row_security off for reading", "src/pg/conn_exec.c", "; SET row_security = off", "; SET row_security = on",
           MORE + "test_row_security_that_pg_dump_does_not_meet"),
    Mutant("xmloption for loading", "src/sql/load_session.sql", "SET xmloption = content;\n", "",
           FIDELITY + "test_settings_of_the_caller_do_not_change_the_rows"),
    # ---- locks and snapshot
    Mutant("a table with a waiter is read where its lock is held", "src/pg/copy.c",
           "if (e && (c->broken || error_kind(e) != ERR_DB_IN_USE))", "if (e)",
           "test_servers.py::test_a_waiter_during_copying"),
    # ---- large objects
    Mutant("large objects of more than one read", "src/pg/large_object.c",
           "if (n == LARGE_OBJECT_FIRST)", "if (n > LARGE_OBJECT_FIRST)", FIDELITY + "test_stock_pg_dump_is_equal"),
    # ---- loading
    Mutant("load via the partition root", "src/pg/load.c",
           "plain = extension || root ||", "plain = extension ||", FIDELITY + "test_rows_are_equal"),
    Mutant("privileges behind the rows", "src/pg/restore_pass.c",
           "e->section == TOC_PRE_DATA && !privileges", "(e->section == TOC_PRE_DATA || privileges)",
           MORE + "test_a_table_that_its_owner_may_not_write"),
    Mutant("extension configuration tables are added to", "src/pg/load.c",
           "bool extension = among(&of_extensions, &target);", "bool extension = false && among(&of_extensions, &target);",
           FIDELITY + "test_rows_are_equal"),
    Mutant("TRUNCATE ONLY", "src/pg/load.c", "TRUNCATE TABLE ONLY %s", "TRUNCATE TABLE %s",
           FIDELITY + "test_rows_are_equal"),
    Mutant("foreign tables are loaded without FREEZE", "src/pg/load.c",
           "|| among(&foreign, &target)", "", MORE + "test_rows_of_a_foreign_table"),
    Mutant("sequences' values (SEQUENCE SET stands in section data)", "src/pg/restore_pass.c",
           "if (toc_has_block(e))\n        return false;",
           "if (toc_has_block(e) || toc_is(e, \"SEQUENCE SET\"))\n        return false;",
           FIDELITY + "test_stock_pg_dump_is_equal"),
    # ---- the database itself
    Mutant("datistemplate", "src/pg/dbadmin_traits.c",
           "IS_TEMPLATE true", "IS_TEMPLATE false", MORE + "test_a_template_database"),
    Mutant("a closed database says how to open it", "src/pg/conn_error.c",
           "if (!strcmp(state, closed.state))", "if (!strcmp(state, \"\"))",
           MORE + "test_a_database_that_takes_no_connections"),
    # ---- many tables
    Mutant("a parent's tables are found by name", "src/repo/parent_streams.c",
           "return s ? s : find_name(p, schema, name);", "return s ? s : find_name(p, name, schema);", "unit:repo-dedup"),
    Mutant("each group of large objects meets its own", "src/repo/parent_streams.c",
           "&& nth-- == 0)", "&& nth < 1000)", "unit:repo-dedup"),
    # ---- what is written again
    Mutant("packs of which the least part is left come first", "src/repo/parent_packs.c",
           "(double)pack->used / (double)pack->raw : 0;", "(double)pack->used : 0;", "unit:repo-compactor"),
    Mutant("sparse packs have a part of the limit for themselves", "src/repo/piece_writer.c",
           "writer_may_rewrite(p->w, found->sparse, ", "writer_may_rewrite(p->w, SPARSE_FRAME, ", "unit:repo-compactor"),
    Mutant("after a run that wrote much more may be written again", "src/repo/compactor.c",
           "parent->new_bytes / ", "0 / ", "unit:repo-compactor"),
    # ---- before and after the work
    Mutant("a full repository has room for its own freeing", "src/store/store.c",
           "|| !s->uses_reserve ||", "|| true ||", "test_faults_disk.py::test_a_full_repository_is_freed"),
    Mutant("nothing is made before all that refuses was asked", "src/op/backup.c",
           "TRY(op_expect_repo(c, &b.repo));", "TRY(op_open_repo(c, true, &b.repo));",
           "test_backup.py::test_refused_before_there_is_a_repository"),
    Mutant("several drills: all ids first", "src/cli/cmd_drill.c",
           "TRY(op_drill_find(&run->op, &w->names, &w->ids));", "strlist_copy(&w->ids, &w->names);",
           "test_drill.py::test_slips_are_found_first"),
    Mutant("a warning is said once", "src/cli/output.c",
           "if (strlist_has(&said, warning))", "if (false && strlist_has(&said, warning))",
           "test_keys.py::test_an_older_state_is_noticed"),
    # ---- the service
    Mutant("what was written into a manifest in place is read again", "src/repo/catalog_cache.c",
           "k->size == name->size && k->stamp == name->stamp ? k->info", "k->size == name->size ? k->info",
           "unit:repo-catalog_cache"),
    Mutant("proofs and pins of a catalog that is kept are looked at anew", "src/repo/catalog.c",
           "    to->proven = to->pinned = false;\n    to->last_proof = to->last_drill = 0;\n", "",
           "unit:repo-catalog_cache"),
    Mutant("a passphrase that was stretched is that of its own slot", "src/repo/key_memo.c",
           "!memcmp(s->salt, salt, sizeof s->salt) && same", "salt && same", "unit:repo-key_memo"),
    Mutant("a key file that was replaced is read again", "src/serve/shelf.c",
           "error_kind(e) == ERR_KEY && key_input_forget(s->keys)", "error_kind(e) == ERR_KEY && !s->keys",
           "unit:serve-shelf"),
    Mutant("quotes in a metric's label", "src/serve/exposition.c",
           "if (*s == '\\\\' || *s == '\"')", "if (*s == '\\\\')", "unit:serve-exposition"),
    Mutant("the list's tag is of what the repository has", "src/serve/routes_backup.c",
           "hash_add(h, s->views[i]->print, HASH_BYTES)", "hash_add(h, s->views[i]->print, 0)",
           "test_api.py::test_the_list_is_never_an_old_one"),
    # ---- peers
    Mutant("what a peer has signed is taken once", "src/serve/replay.c",
           "    if (has(&r->now, nonce) || has(&r->before, nonce))\n",
           "    if (has(&r->now, nonce) && has(&r->before, nonce))\n", "unit:serve-replay"),
    Mutant("what a peer has signed is taken once, also after a restart", "src/serve/replay.c",
           "    if (time < node->refused)\n", "    if (false)\n", "test_peers.py::test_replay_after_a_kill"),
    Mutant("the time of what a peer has signed", "src/serve/replay.c",
           "    if (ms <= REPLAY_WINDOW_MS)\n", "    if (ms >= 0)\n", "test_peers.py::test_clock"),
    Mutant("the body is the one that was signed", "src/serve/peer_auth.c",
           "    if (!hash_equal(sum, p->body, SIGN_HEX))\n", "    if (false)\n",
           "test_peers.py::test_body_altered_on_the_way"),
    Mutant("the hash of an empty registration key opens nothing", "src/crypto/sign.c",
           "    if (!secret_length(key) || !text_unhex(hash, given, sizeof given))\n",
           "    if (!text_unhex(hash, given, sizeof given))\n", "unit:crypto-sign"),
    Mutant("a peer with a key has to sign", "src/serve/peer_auth.c",
           "    if (p && !config_peer_legacy(p))\n", "    if (false)\n",
           "test_peers.py::test_old_header_turned_off_for_a_peer_with_a_key"),
    Mutant("nobody takes the name of a peer that signs", "src/serve/peer_auth.c",
           " || !strcmp(p->name, node);", ";", "test_peers.py::test_old_header_turned_off_for_a_peer_with_a_key"),
    Mutant("so many wrong registration keys and no more", "src/serve/peer_auth.c",
           "    if (failures_too_often(a->failures, call->remote))\n", "    if (false)\n",
           "test_peers.py::test_wrong_keys_cost_time"),
    Mutant("so many large bodies at once", "src/serve/http.c",
           "    if (atomic_fetch_add(&h->large, 1) < HTTP_LARGE_BODIES) {\n",
           "    if (atomic_fetch_add(&h->large, 1) < 10 * HTTP_LARGE_BODIES) {\n",
           "test_peers.py::test_so_many_large_bodies_at_once"),
    Mutant("only what may be is asked of a peer again", "src/net/link.c",
           "    return (harmless || !a->sent || a->status == 429)", "    return (harmless || a->q)",
           "test_link.py::test_what_may_not_be_repeated_is_not"),
    Mutant("what came of an attempt is dropped before the next one", "src/net/link.c",
           "            q->again(q->write_ctx);\n", "            (void)q;\n", "test_link.py::test_repeated_until_it_works"),
    Mutant("no plain http to another host", "src/net/link.c",
           "!o->insecure && !is_loopback(host)", "!o->insecure && !is_loopback(host) && !*host", "unit:net-link"),
    # ---- sync sessions
    Mutant("another session that writes into the same database", "src/state/state_session.c",
           "    return other ? busy(other, now) : NULL;", "    return other && !now ? busy(other, now) : NULL;",
           "unit:state-state_session"),
    Mutant("a session's other side on the same host is not in its way", "src/state/state_session_live.c",
           "AND (?3 IS NULL OR id <> ?3)", "AND (?3 IS NULL OR ?3 = ?3)", "unit:state-state_session"),
    Mutant("ages by the clock that nobody sets", "src/state/state_session_live.c",
           "int64_t age = here ? p->mono - s->beat_mono : p->now - s->heartbeat;",
           "int64_t age = p->now - s->heartbeat;", "unit:state-state_session"),
    Mutant("a session's process that is gone, whose number another one has", "src/state/state_session_live.c",
           "!proc_id_is_alive(s->pid, s->pid_start)", "!proc_id_is_alive(s->pid, -1)", "unit:state-state_session"),
    Mutant("a session from before the host was restarted", "src/state/state_session_live.c",
           "if (s->pid && *boot && *p->boot && !here)", "if (s->pid && *boot && !*p->boot && !here)", "unit:state-state_session"),
    Mutant("an earlier attempt of a session is fenced", "src/state/state_session.c",
           "if (one->ended || (ref->attempt && ref->attempt != one->attempt))", "if (one->ended)", "unit:state-state_session"),
    Mutant("a session taken for dead may tell its true end", "src/state/state_session.c",
           "AND (ended IS NULL OR expired)", "AND ended IS NULL", "unit:state-state_session"),
    Mutant("who works for a session knows that it was cancelled", "src/op/sync_session.c",
           "    s->cancelled = true;", "    s->cancelled = false;", "unit:op-sync_session"),
    Mutant("why a session's process was stopped", "src/op/sync_session.c",
           "if (e && s->why && error_kind(e) == ERR_CANCELLED)", "if (e && !e && error_kind(e) == ERR_CANCELLED)",
           "unit:op-sync_session"),
    Mutant("pgstow's own locks of a live sync", "src/op/sync_locks.c",
           "} else if (a->ours && living) {", "} else if (a->ours && living && !a->pid) {",
           "test_sync_sessions.py::test_locks_of_pgstow"),
    Mutant("a lock's holder whose doings are hidden", "src/op/sync_locks.c",
           "} else if (!a->state) {", "} else if (!a->key) {", "test_sync_sessions.py::test_what_may_not_be_seen_or_ended"),
    Mutant("what a job does behind a backup that is fetched", "src/serve/sync_watch.c",
           "s->status >= SYNC_TRANSFERRING", "s->status > SYNC_VERIFYING",
           "unit:serve-sync_watch"),
    Mutant("a session whose job ended before it was noted", "src/serve/sync_watch.c",
           "if (job && job->ended)", "if (job && !job->id)",
           "unit:serve-sync_watch"),
    Mutant("a session that somebody else found dead", "src/serve/sync_watch.c",
           "bool more = death > last->death;", "bool more = dead.count > 0;",
           "unit:serve-sync_watch"),
    Mutant("a job that waited and will not be done is told of", "src/serve/runner.c",
           "    out->items[out->count++] = *ended;\n    free(ended);\n", "    state_job_free(ended);\n",
           "unit:serve-runner"),
    Mutant("a sync whose asker died is told of", "src/op/notify_sync.c",
           "if (!s->expired ||", "if (s->expired ||",
           "unit:op-notify_sync"),
    Mutant("what stood in a session's way is why it died", "src/state/state_session_live.c",
           "const char *before = one->error_message;", "const char *before = NULL;",
           "unit:state-state_session"),
    # ---- sync
    Mutant("two sessions of one id at once", "src/state/state_session.c",
           "return !old->pid && old->job && old->job == n->job ? NULL : busy(old, n->now);", "return NULL;",
           "unit:state-state_session"),
    Mutant("a session that is COMPLETED is not opened again", "src/state/state_session.c",
           "if (old->status == SYNC_COMPLETED)", "if (old->status == SYNC_COMPLETED && !n->resume)", "unit:state-state_session"),
    Mutant("a session of another peer", "src/state/state_session.c",
           "if (old->direction != n->direction || strcmp(old->peer, n->peer ? n->peer : \"\") != 0)",
           "if (old->direction != n->direction)", "unit:state-state_session"),
    Mutant("a backup of the target before it is changed", "src/op/sync_target.c",
           "if (o->safety_backup && !o->dry_run) {", "if (!o->safety_backup && !o->dry_run) {", "test_sync_push.py::test_push"),
    Mutant("only a backup that was made for this sync is applied", "src/op/sync_target.c",
           "if (!strlist_has(&m->info.tags, tag))", "if (!m->info.rows && !strlist_has(&m->info.tags, tag))",
           "test_sync_push.py::test_only_what_was_made_for_it_is_applied"),
    Mutant("the schemas are compared before anything moves", "src/op/sync_plan.c",
           "TRY(sync_differences_error(&found));", "error_drop(sync_differences_error(&found));", "unit:op-sync_plan"),
    Mutant("a database with other tables than the source's is not filled", "src/op/sync_plan.c",
           "if (doc_count(doc_get(target, \"tables\")))", "if (!name)", "unit:op-sync_plan"),
    Mutant("a target that takes no definitions is not restored into", "src/op/sync_plan.c",
           "if (doc_bool(target, \"noDefinitions\", false))", "if (doc_bool(target, \"nothing\", false))", "unit:op-sync_plan"),
    Mutant("nor where its tables went meanwhile", "src/op/sync_target.c",
           "if (out->restored && h->terms.no_definitions)", "if (!out && h->terms.no_definitions)",
           "test_sync_hostile.py::test_no_definitions_of_a_peer"),
    Mutant("conditions of a peer's are refused", "src/serve/routes_sync.c",
           "TRY(sync_check_filters(&terms, &o));", "error_drop(sync_check_filters(&terms, &o));",
           "test_sync_hostile.py::test_no_conditions_of_a_peer"),
    Mutant("and once more by the entry that is read", "src/op/sync_serve.c",
           "TRY(sync_check_filters(&h->terms, o));", "error_drop(sync_check_filters(&h->terms, o));",
           "test_sync_hostile.py::test_no_conditions_by_way_of_another_entry"),
    Mutant("behind the commit nothing is a failure", "src/op/sync_transfer.c",
           "sync_session_verify(w->session, \"counts, source against target\");",
           "TRY(sync_session_step(w->session, SYNC_VERIFYING, \"counts, source against target\"));",
           "test_sync_faults.py::test_the_disk_of_the_state_is_full[pull-a-merge.committed]"),
    Mutant("masked values take no others' place by themselves", "src/op/sync_plan.c",
           "if (o->masks.count && !o->masked_too)", "if (o->masks.count > 99 && !o->masked_too)",
           "unit:op-sync_plan"),
    Mutant("what the source excludes never leaves it", "src/op/sync_options.c",
           "return exclude ? exclude_add(exclude, &out->where, left_out) : NULL;",
           "return exclude && !out ? exclude_add(exclude, &out->where, left_out) : NULL;",
           "test_sync_pull.py::test_excluded_by_the_source"),
    Mutant("a backup that an earlier attempt made is used", "src/op/sync_source.c",
           "*good = !m->info.last_proof_level || m->info.proven;", "*good = m->info.last_proof_level && m->info.proven;",
           "test_sync_push.py::test_resume_after_a_kill"),
    Mutant("what was done before is not done again", "src/op/sync.c",
           "    if (result)\n        return take_result(w, result);\n",
           "    if (result && w->o->test)\n        return take_result(w, result);\n",
           "test_sync_push.py::test_the_end_is_heard_though_the_answer_was_lost"),
    Mutant("of a pack less than half of which is in use only those frames", "src/repo/copy_moves.c",
           "m->sparse = !m->there && info->used < info->raw / 2;", "m->sparse = false;", "unit:repo-copy_part"),
    Mutant("what of a sparse pack is there is not copied again", "src/repo/copy_packs.c",
           "                       !move_find(m, frames[i].number, &target)))", "                       m->info))",
           "unit:repo-copy_part"),
    Mutant("a pack that lacks frames is not taken for the whole one", "src/repo/copy_packs.c",
           "if (whole && part->frames.count == count)", "if (whole)", "unit:repo-copy"),
    Mutant("what a peer may write of packs is its own", "src/serve/sync_store.c",
           "*own = !e && !p.gone && !strcmp(p.sync, r->session) && !strcmp(p.node, r->node);", "*own = !e && !p.gone && r->session;",
           "unit:serve-sync_store"),
    Mutant("whoever is pulled from takes nothing", "src/serve/sync_store.c",
           "    if (!r->writes)\n        return forbidden(r, \"write\", name);\n", "", "unit:serve-sync_store"),
    Mutant("once the target writes nothing more may come", "src/serve/sync_rights.c",
           "return s->direction == SYNC_PUSH && s->status <= SYNC_TRANSFERRING;", "return s->direction == SYNC_PUSH;",
           "test_sync_http.py::test_nothing_comes_once_it_is_applied"),
    Mutant("a piece that was spoiled on the way", "src/serve/sync_store.c",
           "    if (memcmp(sum, p->sha256, sizeof sum) != 0)\n", "    if (!p->n)\n", "unit:serve-sync_store"),
    Mutant("an object of which a piece is missing", "src/serve/sync_uploads.c",
           "    if (p->offset != o->have)\n", "    if (p->offset < o->have)\n", "unit:serve-sync_store"),
    Mutant("a session of somebody else is not there", "src/serve/sync_ask.c",
           "    if (strcmp(s->peer, sync_ask_peer(a)) != 0)\n", "    if (!s->peer)\n", "test_sync_copy.py::test_objects"),
    Mutant("batches of two attempts are not mixed", "src/op/sync_spool.c",
           "    if (b->attempt < l->attempt)\n", "    if (b->attempt < l->attempt && !b->seq)\n", "unit:op-sync_spool"),
    Mutant("a batch that is missing", "src/op/sync_spool.c",
           "    if (b->seq != expected)\n", "    if (b->seq < expected)\n", "unit:op-sync_spool"),
    Mutant("a batch that came before, with other contents", "src/op/sync_spool.c",
           "if (hash_equal(r.tail.body, body, HASH_BYTES))", "if (body)", "unit:op-sync_spool"),
    Mutant("a peer that does not say what it has written", "src/op/sync_target.c",
           "if (doc_type(d) != DOC_OBJECT || !doc_str(d, \"backupId\", NULL) ||",
           "if (doc_type(d) != DOC_OBJECT ||", "unit:op-sync_plan"),
    # ---- merging only a difference
    Mutant("a difference needs the base that the target names", "src/op/merge_base.c",
           "else if (!merge_is_kept(w, b->manifest))", "else if (!b->manifest)",
           "test_merge_delta.py::test_a_base_that_is_gone_or_another"),
    Mutant("a difference needs rules that went as far before", "src/op/merge_base.c",
           "if (kept && merge_kept_unfit(w))", "if (kept && !kept->manifest && merge_kept_unfit(w))",
           "test_merge_delta.py::test_kept_rows_want_the_same_rules_again"),
    Mutant("a table whose columns have changed since the base", "src/op/merge_delta.c",
           "if (!same_list(&s->columns, &b->columns) || !same_types(s, b))", "if (!same_list(&s->columns, &b->columns) || (!same_types(s, b) && !s->stream))",
           "test_merge_delta.py::test_tables_that_need_all_of_it"),
    Mutant("rows outside of the difference that stand against it", "src/op/merge.c",
           "if (!strcmp(state, states[i]))", "if (!*state && !strcmp(state, states[i]))",
           "test_merge_delta.py::test_rows_outside_of_it_stand_against_it"),
    Mutant("a cascade outside of the difference", "src/op/merge.c",
           "if (!t->delta || !t->counts.cascaded)", "if (!t->delta || !t->counts.cascaded || !w->stuck)",
           "test_merge_delta.py::test_a_cascade_takes_no_row_of_the_backup"),
    Mutant("rows that were left as the target had them, over several differences", "src/op/merge_keep.c",
           "        base.kept += w->kept.kept;\n", "        base.kept += 0;\n",
           "test_merge_delta.py::test_kept_rows_want_the_same_rules_again"),
    Mutant("what was merged is looked at again", "src/op/merge_verify.c",
           "    if (!w->o->verify)\n", "    if (w->o)\n", "test_merge_delta.py::test_rows_that_a_trigger_altered"),
]  # fmt: skip


def run(command, **kwargs):
    return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kwargs)  # fmt: skip


class Scratch:
    """The copy of the source and its build."""

    def __init__(self, folder):
        self.tree, self.build = folder / "tree", folder / "build"
        for entry in ROOT.iterdir():
            if entry.name not in NOT_COPIED and not entry.name.startswith("build-"):
                self.copy(entry, self.tree / entry.name)
        if not (self.build / "build.ninja").exists():
            done = run(["meson", "setup", self.build, self.tree])
            assert done.returncode == 0, done.stdout.decode(errors="replace")

    def copy(self, source, target):
        """Only what differs, so that a second run builds little."""
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            for entry in target.iterdir():
                if not (source / entry.name).exists():
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            for entry in source.iterdir():
                if entry.name != "__pycache__":
                    self.copy(entry, target / entry.name)
        elif source.exists() and (not target.exists() or source.read_bytes() != target.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def compile(self, tests):
        targets = ["pgstow", "pgstow-faults", "tests/net-driver"] + [f"tests/unit-{t[5:]}" for t in tests if t.startswith("unit:")]
        done = run(["ninja", "-C", self.build, *targets])
        return "" if done.returncode == 0 else done.stdout.decode(errors="replace")[-3000:]

    def passes(self, test, select=""):
        """Whether it passed, and what was printed."""
        if test.startswith("unit:"):
            try:
                done = run([self.build / "tests" / f"unit-{test[5:]}"], timeout=200)
            except subprocess.TimeoutExpired:
                return False, f"{test} does not end"
            return done.returncode == 0, done.stdout.decode(errors="replace")
        env = dict(os.environ, PGSTOW_BUILD=str(self.build))
        command = [PYTHON, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line", ROOT / "tests" / "e2e" / test]
        done = run(command + (["-k", select] if select else []), env=env, timeout=1800)
        said = done.stdout.decode(errors="replace")
        # Anything but "passed" and "some failed" means that no test ran.
        if done.returncode not in (0, 1):
            raise SystemExit(f"{test}: pytest ended with {done.returncode}\n{said[-3000:]}")
        return done.returncode == 0, said


def kill(scratch, mutant):
    """None where its test failed, else what went wrong."""
    path = scratch.tree / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        return f"{mutant.file} has the text to be changed {text.count(mutant.old)} times"
    try:
        path.write_text(text.replace(mutant.old, mutant.new))
        problem = scratch.compile([mutant.test])
        if problem:
            return f"it does not compile:\n{problem}"
        passed, _ = scratch.passes(mutant.test, mutant.select)
        return f"{mutant.test} passes without it" if passed else None
    finally:
        path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build-mutants", help="where to copy and build")
    parser.add_argument("words", nargs="*", help="only mutants whose description or file has one of these")
    args = parser.parse_args()
    wanted = [m for m in MUTANTS if not args.words or any(w in m.what or w in m.file for w in args.words)]
    if not wanted:
        raise SystemExit("no mutant is called so")
    scratch = Scratch(args.folder.resolve())
    problem = scratch.compile([m.test for m in wanted])
    if problem:
        raise SystemExit(f"the source does not compile:\n{problem}")
    for test, select in sorted({(m.test, m.select) for m in wanted}):
        passed, said = scratch.passes(test, select)
        if not passed:
            raise SystemExit(f"{test} fails without any mutant:\n{said[-3000:]}")
        print(f"passes: {test}", flush=True)
    survived = 0
    for mutant in wanted:
        started = time.monotonic()
        problem = kill(scratch, mutant)
        survived += problem is not None
        print(f"{'survived' if problem else 'killed'}: {mutant.what} ({time.monotonic() - started:.0f} s)"
              + (f": {problem}" if problem else ""), flush=True)  # fmt: skip
    problem = scratch.compile([])  # what was changed last is as it was
    print(f"{len(wanted) - survived} killed, {survived} survived")
    return 1 if survived or problem else 0


if __name__ == "__main__":
    sys.exit(main())
