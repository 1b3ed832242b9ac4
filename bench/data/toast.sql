-- Large values, stored out of line: 60 KB documents, which compress, and 100 KB pictures, which do not.
-- Scale 1 is about 150 MB as text.
CREATE TABLE document (id int, title text NOT NULL, changed timestamptz NOT NULL, body text NOT NULL);
INSERT INTO document
SELECT k, 'document ' || k, timestamptz '2026-01-01 00:00:00+00' + k * interval '7 min',
       (SELECT string_agg((ARRAY['the', 'of', 'and', 'a', 'to', 'in', 'is', 'was', 'it', 'for', 'with', 'harbour', 'ledger',
                   'merchant', 'lantern', 'contract', 'carriage', 'anchor', 'cargo', 'voyage', 'copper', 'river', 'bridge',
                   'letter', 'market', 'slowly', 'carefully', 'never', 'seldom', 'weighed', 'counted', 'sealed'])
                   [1 + gen.r(k * 100000::bigint + w, 1, 32)] ||
                   CASE gen.r(k * 100000::bigint + w, 2, 40) WHEN 0 THEN E'.\n' WHEN 1 THEN ', ' || w WHEN 2 THEN ';' ELSE '' END,
                   ' ' ORDER BY w)
        FROM generate_series(1, 9800) AS w)
FROM generate_series(1, gen.count(1100)) AS k;
CREATE TABLE picture (id int, document int NOT NULL, kind text NOT NULL, content bytea NOT NULL);
ALTER TABLE picture ALTER content SET STORAGE EXTERNAL;
INSERT INTO picture
SELECT k, 1 + gen.r(k, 3, gen.count(1100)), (ARRAY['image/png', 'image/jpeg'])[1 + gen.r(k, 4, 2)],
       (SELECT string_agg(sha256(int8send(k * 10000::bigint + w)), '' ORDER BY w) FROM generate_series(1, 3125) AS w)
FROM generate_series(1, gen.count(430)) AS k;
ALTER TABLE document ADD PRIMARY KEY (id);
ALTER TABLE picture ADD PRIMARY KEY (id), ADD FOREIGN KEY (document) REFERENCES document;
