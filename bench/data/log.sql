-- A table to which rows are only ever added, as a program's log is: times that rise, few hosts and levels,
-- messages from templates, the rest as JSON. Scale 1 is about 150 MB as text.
CREATE TABLE log (id bigint, at timestamptz NOT NULL, host text NOT NULL, level text NOT NULL, request uuid NOT NULL,
    message text NOT NULL, attributes jsonb NOT NULL);
INSERT INTO log
SELECT k, timestamptz '2026-01-01 00:00:00+00' + k * interval '1.3 s' + gen.r(k, 1, 1300) * interval '1 ms',
       'app-' || lpad((1 + gen.r(k, 2, 12))::text, 2, '0'),
       (ARRAY['info', 'info', 'info', 'info', 'info', 'info', 'debug', 'debug', 'warning', 'error'])[1 + gen.r(k, 3, 10)],
       md5('request ' || k / 3)::uuid,
       format((ARRAY['order %s was placed by customer %s', 'payment of %s by customer %s was accepted',
                     'customer %2$s opened page %1$s', 'cache entry %s of customer %s has expired',
                     'query took %s ms for customer %s', 'mail %s to customer %s was queued',
                     'retry of job %s for customer %s', 'session %s of customer %s ended'])[1 + gen.r(k, 4, 8)],
              gen.r(k, 5, 1000000), gen.r(k, 6, 50000)),
       jsonb_build_object('path', '/api/' || (ARRAY['orders', 'customers', 'cart', 'search', 'login'])[1 + gen.r(k, 7, 5)] ||
              '/' || gen.r(k, 8, 100000), 'status', (ARRAY[200, 200, 200, 201, 204, 304, 404, 500])[1 + gen.r(k, 9, 8)],
              'took_ms', gen.r(k, 10, 3000) / 10.0, 'bytes', gen.r(k, 11, 65536),
              'client', jsonb_build_object('address', '10.' || gen.r(k, 12, 4) || '.' || gen.r(k, 13, 256) || '.' || gen.r(k, 14, 256),
                     'agent', (ARRAY['Firefox/128.0', 'Chrome/126.0', 'Safari/17.5', 'curl/8.8'])[1 + gen.r(k, 15, 4)]),
              'tags', (ARRAY['["web"]', '["web", "eu"]', '["mobile", "us"]', '[]'])[1 + gen.r(k, 16, 4)]::jsonb)
FROM generate_series(1, gen.count(450000)) AS k;
ALTER TABLE log ADD PRIMARY KEY (id);
CREATE INDEX ON log (at);
