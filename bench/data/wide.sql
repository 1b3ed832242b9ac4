-- Many short columns: ids, timestamps, enums, numerics. Readings of 500 devices, each of which reports in turn.
-- Scale 1 is about 150 MB as text.
CREATE TYPE kind AS ENUM ('temperature', 'pressure', 'humidity', 'voltage', 'flow');
CREATE TYPE quality AS ENUM ('good', 'suspect', 'bad');
CREATE TYPE state AS ENUM ('new', 'checked', 'billed', 'archived');
CREATE TABLE reading (id bigint, device int NOT NULL, site smallint NOT NULL, channel smallint NOT NULL, kind kind NOT NULL,
    quality quality NOT NULL, state state NOT NULL, measured timestamptz NOT NULL, received timestamptz NOT NULL,
    stored timestamptz NOT NULL, billed_on date, value numeric(10,3) NOT NULL, minimum numeric(10,3) NOT NULL,
    maximum numeric(10,3) NOT NULL, samples int NOT NULL, battery numeric(4,2) NOT NULL, price numeric(12,4) NOT NULL,
    currency char(3) NOT NULL, batch bigint NOT NULL, sequence int NOT NULL, flags int NOT NULL, verified boolean NOT NULL,
    corrects bigint);
INSERT INTO reading
SELECT k, device, device / 20, k % 4, (enum_range(NULL::kind))[1 + device % 5],
       (enum_range(NULL::quality))[1 + greatest(0, gen.r(k, 1, 100) - 97)],
       (enum_range(NULL::state))[CASE WHEN k < n * 8 / 10 THEN 4 WHEN k < n * 9 / 10 THEN 3 ELSE 1 + gen.r(k, 2, 2) END],
       measured, measured + gen.r(k, 4, 900) * interval '1 ms', measured + (1000 + gen.r(k, 5, 4000)) * interval '1 ms',
       CASE WHEN k < n * 9 / 10 THEN (measured + interval '31 days')::date END,
       value, value - gen.r(k, 7, 900) / 1000.0, value + gen.r(k, 8, 900) / 1000.0, 60 - greatest(0, gen.r(k, 9, 20) - 17),
       (1280 - round / 40 + gen.r(k, 10, 4)) / 100.0, value * 0.0425, (ARRAY['EUR', 'EUR', 'USD'])[1 + device % 3],
       20260101000 + k / 1000, round, gen.r(k, 11, 2) * 4 + gen.r(k, 12, 2), gen.r(k, 13, 10) > 0,
       CASE WHEN gen.r(k, 14, 50) = 0 THEN k - 500 END
FROM gen.count(750000) AS n, generate_series(1, n) AS k, LATERAL (SELECT (k % 500)::int AS device, (k / 500)::int AS round) AS a,
     LATERAL (SELECT timestamptz '2026-01-01 00:00:00+00' + round * interval '5 min' + device * interval '0.6 s' +
              gen.r(k, 3, 500) * interval '1 ms' AS measured,
              (2000 + device % 700 * 10 + 300 * sin(round / 46.0) + gen.r(k, 6, 2000) / 1000.0)::numeric(10,3) AS value) AS b;
ALTER TABLE reading ADD PRIMARY KEY (id);
CREATE INDEX ON reading (device, measured);
