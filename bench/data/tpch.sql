-- Tables like those of TPC-H: scale 1 is about 1.25 GB as COPY text. Comments are cut out of a pool of
-- made-up sentences, as dbgen does it, so that the data compresses about as that of TPC-H does.
-- Rows in the order of their keys: the pool is looked up, never walked.
SET max_parallel_workers_per_gather = 0;
SET enable_hashjoin = off;
SET enable_mergejoin = off;

CREATE UNLOGGED TABLE gen.words (kind text, list text[]);
INSERT INTO gen.words VALUES
    ('noun', string_to_array('parcels,waggons,ledgers,barrels,merchants,sailors,lanterns,harbours,bales of wool,'
     'contracts,clerks,tallies,anchors,rivers,invoices,carriages,storehouses,pilots,cargoes,seals,spices,'
     'customs,voyages,copper kettles,winds,deposits,grains,letters,bridges,caravans,markets,ropes,tides', ',')),
    ('verb', string_to_array('wait,arrive,rest,are weighed,haggle,sink,turn,sail,are counted,move,sleep,'
     'are sealed,wander,grow,unload,are stowed,depart,gather,drift,are lost,return,settle,vanish,climb', ',')),
    ('adjective', string_to_array('special,heavy,regular,pending,final,silent,bold,careful,even,ironclad,'
     'dry,late,express,quick,foreign,golden,unusual,patient,fragile,northern,damp,narrow,spare', ',')),
    ('adverb', string_to_array('slowly,carefully,blithely,quickly,never,boldly,quietly,always,daringly,'
     'evenly,closely,rarely,furiously,at dawn,by night,once more,sometimes,ruthlessly', ',')),
    ('preposition', string_to_array('about,above,according to,across,after,against,along,among,around,at,'
     'before,behind,beneath,beside,between,beyond,near,over,past,under,upon,without', ',')),
    ('end', string_to_array('., ., ., ;, :, ?, !, --', ', '));

-- Sentences, cut to pieces of one length: a comment starts anywhere in one of them.
CREATE UNLOGGED TABLE gen.pool (id bigint PRIMARY KEY, piece text NOT NULL);
INSERT INTO gen.pool
WITH w AS MATERIALIZED (
    SELECT max(list) FILTER (WHERE kind = 'noun') AS n, max(list) FILTER (WHERE kind = 'verb') AS v,
           max(list) FILTER (WHERE kind = 'adjective') AS j, max(list) FILTER (WHERE kind = 'adverb') AS d,
           max(list) FILTER (WHERE kind = 'preposition') AS p, max(list) FILTER (WHERE kind = 'end') AS e
    FROM gen.words)
SELECT id, substr(string_agg(
        CASE WHEN gen.r(k, 1, 3) > 0 THEN j[1 + gen.r(k, 2, cardinality(j))] || ' ' ELSE '' END ||
        n[1 + gen.r(k, 3, cardinality(n))] || ' ' ||
        CASE WHEN gen.r(k, 4, 2) = 0 THEN d[1 + gen.r(k, 5, cardinality(d))] || ' ' ELSE '' END ||
        v[1 + gen.r(k, 6, cardinality(v))] || ' ' ||
        CASE WHEN gen.r(k, 7, 3) > 0 THEN p[1 + gen.r(k, 8, cardinality(p))] || ' the ' ||
            j[1 + gen.r(k, 9, cardinality(j))] || ' ' || n[1 + gen.r(k, 10, cardinality(n))] ELSE
            d[1 + gen.r(k, 11, cardinality(d))] END ||
        e[1 + gen.r(k, 12, cardinality(e))] || ' ', '' ORDER BY s), 1, 400)
FROM generate_series(0, 32767) AS id, generate_series(0, 11) AS s, LATERAL (SELECT id * 12::bigint + s AS k) AS key, w
GROUP BY id;

CREATE TABLE region (r_regionkey int, r_name char(25), r_comment varchar(152));
CREATE TABLE nation (n_nationkey int, n_name char(25), n_regionkey int NOT NULL, n_comment varchar(152));
CREATE TABLE supplier (s_suppkey int, s_name char(25), s_address varchar(40), s_nationkey int NOT NULL,
    s_phone char(15), s_acctbal numeric(15,2), s_comment varchar(101));
CREATE TABLE customer (c_custkey int, c_name varchar(25), c_address varchar(40), c_nationkey int NOT NULL,
    c_phone char(15), c_acctbal numeric(15,2), c_mktsegment char(10), c_comment varchar(117));
CREATE TABLE part (p_partkey int, p_name varchar(55), p_mfgr char(25), p_brand char(10), p_type varchar(25),
    p_size int, p_container char(10), p_retailprice numeric(15,2), p_comment varchar(23));
CREATE TABLE partsupp (ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost numeric(15,2),
    ps_comment varchar(199));
CREATE TABLE orders (o_orderkey int, o_custkey int NOT NULL, o_orderstatus char(1), o_totalprice numeric(15,2),
    o_orderdate date, o_orderpriority char(15), o_clerk char(15), o_shippriority int, o_comment varchar(79));
CREATE TABLE lineitem (l_orderkey int, l_partkey int NOT NULL, l_suppkey int NOT NULL, l_linenumber int,
    l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2),
    l_returnflag char(1), l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date,
    l_shipinstruct char(25), l_shipmode char(10), l_comment varchar(44));

INSERT INTO region
SELECT k - 1, (ARRAY['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'])[k], substr(piece, 1 + k, 60 + 17 * k)
FROM generate_series(1, 5) AS k JOIN gen.pool ON id = k;

INSERT INTO nation
SELECT k - 1, 'NATION ' || chr(64 + k), (k - 1) % 5, substr(piece, 1 + k, 40 + 4 * k)
FROM generate_series(1, 25) AS k JOIN gen.pool ON id = 100 + k;

INSERT INTO supplier
SELECT k, 'Supplier#' || lpad(k::text, 9, '0'),
       substr(translate(encode(sha256(('s' || k)::bytea), 'base64'), '+/=', ', x'), 1, (10 + gen.r(k, 20, 31))::int),
       gen.r(k, 21, 25), phone, (gen.r(k, 22, 1099999) - 99999) / 100.0,
       substr(piece, (1 + gen.r(k, 23, 290))::int, (25 + gen.r(k, 24, 76))::int)
FROM generate_series(1, gen.count(10000)) AS k JOIN gen.pool ON id = gen.r(k, 25, 32768),
     LATERAL (SELECT (10 + gen.r(k, 21, 25)) || '-' || (100 + gen.r(k, 26, 900)) || '-' ||
              (100 + gen.r(k, 27, 900)) || '-' || (1000 + gen.r(k, 28, 9000)) AS phone) AS p;

INSERT INTO customer
SELECT k, 'Customer#' || lpad(k::text, 9, '0'),
       substr(translate(encode(sha256(('c' || k)::bytea), 'base64'), '+/=', ', x'), 1, (10 + gen.r(k, 30, 31))::int),
       gen.r(k, 31, 25), phone, (gen.r(k, 32, 1099999) - 99999) / 100.0,
       (ARRAY['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD'])[1 + gen.r(k, 33, 5)],
       substr(piece, (1 + gen.r(k, 34, 280))::int, (29 + gen.r(k, 35, 88))::int)
FROM generate_series(1, gen.count(150000)) AS k JOIN gen.pool ON id = gen.r(k, 36, 32768),
     LATERAL (SELECT (10 + gen.r(k, 31, 25)) || '-' || (100 + gen.r(k, 37, 900)) || '-' ||
              (100 + gen.r(k, 38, 900)) || '-' || (1000 + gen.r(k, 39, 9000)) AS phone) AS p;

INSERT INTO part
SELECT k, concat_ws(' ', c[1 + gen.r(k, 40, 30)], c[1 + gen.r(k, 41, 30)], c[1 + gen.r(k, 42, 30)],
                    c[1 + gen.r(k, 43, 30)], c[1 + gen.r(k, 44, 30)]),
       'Manufacturer#' || 1 + gen.r(k, 45, 5), 'Brand#' || 1 + gen.r(k, 45, 5) || 1 + gen.r(k, 46, 5),
       (ARRAY['STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO'])[1 + gen.r(k, 47, 6)] || ' ' ||
       (ARRAY['ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED'])[1 + gen.r(k, 48, 5)] || ' ' ||
       (ARRAY['TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER'])[1 + gen.r(k, 49, 5)],
       1 + gen.r(k, 50, 50),
       (ARRAY['SM', 'LG', 'MED', 'JUMBO', 'WRAP'])[1 + gen.r(k, 51, 5)] || ' ' ||
       (ARRAY['CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK', 'CAN', 'DRUM'])[1 + gen.r(k, 52, 8)],
       (90000 + (k / 10) % 20001 + 100 * (k % 1000)) / 100.0,
       substr(piece, (1 + gen.r(k, 53, 370))::int, (5 + gen.r(k, 54, 18))::int)
FROM generate_series(1, gen.count(200000)) AS k JOIN gen.pool ON id = gen.r(k, 55, 32768),
     (SELECT string_to_array('almond,amber,azure,beige,bisque,black,blue,brown,coral,cream,cyan,forest,frost,'
      'ghost,green,honey,indian,ivory,khaki,lace,lemon,linen,maroon,mint,navy,olive,orange,peach,plum,rose',
      ',') AS c) AS colours;

INSERT INTO partsupp
SELECT p, 1 + (p + s * (n / 4 + (p - 1) / n)) % n, 1 + gen.r(k, 60, 9999), (100 + gen.r(k, 61, 99901)) / 100.0,
       substr(piece, (1 + gen.r(k, 62, 200))::int, (49 + gen.r(k, 63, 150))::int)
FROM generate_series(1, gen.count(200000)) AS p, generate_series(0, 3) AS s, gen.count(10000) AS n,
     LATERAL (SELECT p * 4 + s AS k) AS key JOIN gen.pool ON id = gen.r(k, 64, 32768);

-- Of 32 keys 8 are used, as in TPC-H.
INSERT INTO orders
SELECT key, 1 + gen.r(key, 70, gen.count(150000)), (ARRAY['O', 'F', 'F', 'O', 'P'])[1 + gen.r(key, 71, 5)],
       (90000 + gen.r(key, 72, 45000000)) / 100.0, date '1992-01-01' + gen.r(key, 73, 2406)::int,
       (ARRAY['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'])[1 + gen.r(key, 74, 5)],
       'Clerk#' || lpad((1 + gen.r(key, 75, gen.count(1000)))::text, 9, '0'), 0,
       substr(piece, (1 + gen.r(key, 76, 320))::int, (19 + gen.r(key, 77, 60))::int)
FROM generate_series(0, gen.count(1500000) - 1) AS i, LATERAL (SELECT i / 8 * 32 + i % 8 + 1 AS key) AS k
     JOIN gen.pool ON id = gen.r(key, 78, 32768);

INSERT INTO lineitem
SELECT o_orderkey, part, 1 + (part + gen.r(key, 80, 4) * (n / 4 + (part - 1) / n)) % n, line, quantity,
       quantity * (90000 + (part / 10) % 20001 + 100 * (part % 1000)) / 100.0,
       gen.r(key, 81, 11) / 100.0, gen.r(key, 82, 9) / 100.0,
       CASE WHEN receipt > date '1995-06-17' THEN 'N' ELSE (ARRAY['R', 'A'])[1 + gen.r(key, 83, 2)] END,
       CASE WHEN ship > date '1995-06-17' THEN 'O' ELSE 'F' END,
       ship, o_orderdate + 30 + gen.r(key, 84, 61)::int, receipt,
       (ARRAY['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[1 + gen.r(key, 85, 4)],
       (ARRAY['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'])[1 + gen.r(key, 86, 7)],
       substr(piece, (1 + gen.r(key, 87, 350))::int, (10 + gen.r(key, 88, 34))::int)
FROM orders, generate_series(1, 1 + gen.r(o_orderkey, 89, 7)) AS line, gen.count(10000) AS n,
     LATERAL (SELECT o_orderkey::bigint * 8 + line AS key) AS k,
     LATERAL (SELECT 1 + gen.r(key, 90, gen.count(200000)) AS part, 1 + gen.r(key, 91, 50) AS quantity,
              o_orderdate + 1 + gen.r(key, 92, 121)::int AS ship) AS a,
     LATERAL (SELECT ship + 1 + gen.r(key, 93, 30)::int AS receipt) AS b, gen.pool
WHERE id = gen.r(key, 94, 32768);

-- Not of TPC-H: one table that is about 1 % of the whole, to restore it alone.
CREATE TABLE returned (LIKE lineitem);
INSERT INTO returned
SELECT * FROM lineitem WHERE gen.r(l_orderkey::bigint * 8 + l_linenumber, 95, 62) = 0 ORDER BY l_orderkey, l_linenumber;

ALTER TABLE region ADD PRIMARY KEY (r_regionkey);
ALTER TABLE nation ADD PRIMARY KEY (n_nationkey), ADD FOREIGN KEY (n_regionkey) REFERENCES region;
ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey), ADD FOREIGN KEY (s_nationkey) REFERENCES nation;
ALTER TABLE customer ADD PRIMARY KEY (c_custkey), ADD FOREIGN KEY (c_nationkey) REFERENCES nation;
ALTER TABLE part ADD PRIMARY KEY (p_partkey);
ALTER TABLE partsupp ADD PRIMARY KEY (ps_partkey, ps_suppkey), ADD FOREIGN KEY (ps_partkey) REFERENCES part,
    ADD FOREIGN KEY (ps_suppkey) REFERENCES supplier;
ALTER TABLE orders ADD PRIMARY KEY (o_orderkey), ADD FOREIGN KEY (o_custkey) REFERENCES customer;
ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber), ADD FOREIGN KEY (l_orderkey) REFERENCES orders,
    ADD FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp;
ALTER TABLE returned ADD PRIMARY KEY (l_orderkey, l_linenumber);
