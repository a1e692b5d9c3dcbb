-- A schema with every kind of object. Blocks are separated by empty lines; those of one layer may
-- be run in any order.

-- layer: names
CREATE SCHEMA shop;

CREATE SCHEMA "Odd $chema ""x""";

CREATE SCHEMA ext;

-- layer: types
CREATE TYPE shop.mood AS ENUM ('sad', 'ok', 'happy');
ALTER TYPE shop.mood ADD VALUE 'calm' BEFORE 'ok';
COMMENT ON TYPE shop.mood IS 'how it is';

CREATE DOMAIN shop.email AS text COLLATE "C" DEFAULT 'nobody@example' NOT NULL
    CONSTRAINT has_at CHECK (VALUE LIKE '%@%') CHECK (length(VALUE) < 200);
COMMENT ON CONSTRAINT has_at ON DOMAIN shop.email IS 'an address';

CREATE TYPE shop.point3 AS (x double precision, y double precision, label text COLLATE "C");
COMMENT ON COLUMN shop.point3.label IS 'what it is called';

CREATE FUNCTION shop.days(a date, b date) RETURNS double precision LANGUAGE sql IMMUTABLE
    AS $$ SELECT (a - b)::double precision $$;
CREATE TYPE shop.period AS RANGE (SUBTYPE = date, SUBTYPE_DIFF = shop.days);

CREATE COLLATION shop.loose (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);

CREATE EXTENSION hstore WITH SCHEMA ext;

CREATE SEQUENCE shop.tickets AS integer START 100 INCREMENT 5 MINVALUE 10 MAXVALUE 1000 CYCLE CACHE 3;
SELECT setval('shop.tickets', 200);

CREATE SEQUENCE shop.set_not_used;
SELECT setval('shop.set_not_used', 77, false);

CREATE SEQUENCE shop.down INCREMENT -1;

-- layer: tables
CREATE TABLE shop.customer (
    id bigint GENERATED ALWAYS AS IDENTITY (START 10) PRIMARY KEY,
    email shop.email,
    name varchar(40) COLLATE "C" NOT NULL DEFAULT 'x',
    loose text COLLATE shop.loose,
    mood shop.mood DEFAULT 'ok',
    moods shop.mood[],
    place shop.point3,
    stay shop.period,
    tags ext.hstore,
    doc text COMPRESSION pglz,
    total numeric(12,2) NOT NULL DEFAULT 0 CHECK (total >= 0),
    twice numeric GENERATED ALWAYS AS (total * 2) STORED,
    CONSTRAINT customer_email_key UNIQUE (email) INCLUDE (name) WITH (fillfactor = 70) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT loose_key UNIQUE NULLS NOT DISTINCT (loose, name),
    CONSTRAINT apart EXCLUDE USING gist (stay WITH &&) WHERE (total > 0)
) WITH (fillfactor = 80, autovacuum_enabled = false, toast.autovacuum_enabled = false);
ALTER TABLE shop.customer ALTER COLUMN name SET STATISTICS 500, ALTER COLUMN total SET (n_distinct = 5), ALTER COLUMN doc SET STORAGE EXTERNAL;
ALTER TABLE shop.customer ADD CONSTRAINT late CHECK (name <> '') NO INHERIT NOT VALID;
ALTER TABLE shop.customer REPLICA IDENTITY FULL;
COMMENT ON TABLE shop.customer IS 'who buys';
COMMENT ON COLUMN shop.customer.email IS 'where to';
COMMENT ON CONSTRAINT loose_key ON shop.customer IS 'as good as equal';
COMMENT ON INDEX shop.customer_email_key IS 'made by the constraint';

CREATE TABLE shop.customer_keys (id bigint, name text, PRIMARY KEY (id, name));

CREATE UNLOGGED TABLE shop.cache (key text PRIMARY KEY, value bytea) TABLESPACE pg_default;

CREATE TABLE shop.measure (at date NOT NULL, sensor int NOT NULL, value real) PARTITION BY RANGE (at);
CREATE TABLE shop.measure_2024 PARTITION OF shop.measure FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.measure_2025 (value real, sensor int NOT NULL, at date NOT NULL) PARTITION BY LIST (sensor);
ALTER TABLE shop.measure ATTACH PARTITION shop.measure_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE shop.measure_2025_1 PARTITION OF shop.measure_2025 FOR VALUES IN (1);
CREATE TABLE shop.measure_rest PARTITION OF shop.measure DEFAULT;
CREATE INDEX measure_at ON shop.measure (at, sensor);
ALTER TABLE shop.measure ADD PRIMARY KEY (at, sensor);

CREATE TABLE shop.animal (name text, legs int CHECK (legs >= 0));
CREATE TABLE shop.dog (legs int, barks boolean) INHERITS (shop.animal);

CREATE TABLE shop.typed OF shop.point3 (PRIMARY KEY (label));

CREATE TABLE "Odd $chema ""x"""."Tab le" ("Col ""q""" int PRIMARY KEY, "select" text);

CREATE TABLE shop.holes (gone1 int, a int, gone2 text, b serial, c smallserial);
ALTER TABLE shop.holes DROP COLUMN gone1, DROP COLUMN gone2;
CREATE UNIQUE INDEX holes_b ON shop.holes (b);
ALTER TABLE shop.holes ALTER COLUMN b SET NOT NULL, REPLICA IDENTITY USING INDEX holes_b;

CREATE FOREIGN DATA WRAPPER nowhere OPTIONS (debug 'true', api_token 'tok-hidden');
CREATE SERVER far FOREIGN DATA WRAPPER nowhere OPTIONS (host 'far.example', password 'srv-hidden');
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'me', password 'map-hidden');
CREATE FOREIGN TABLE shop.remote (id int OPTIONS (column_name 'ID'), v text) SERVER far OPTIONS (table 'r', secret_key 'ft-hidden');

-- layer: behaviour
CREATE TABLE shop.orders (
    id serial PRIMARY KEY,
    customer_id bigint NOT NULL,
    parent_id int REFERENCES shop.orders ON DELETE SET NULL,
    note text,
    CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES shop.customer (id)
        ON DELETE CASCADE ON UPDATE RESTRICT DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE shop.orders ADD CONSTRAINT some_null FOREIGN KEY (customer_id, note)
    REFERENCES shop.customer_keys (id, name) MATCH FULL NOT VALID;
CREATE INDEX orders_note ON shop.orders USING btree (note text_pattern_ops DESC NULLS LAST, lower(note) COLLATE "C") INCLUDE (id) WITH (fillfactor = 60) WHERE note IS NOT NULL;
CREATE INDEX orders_gin ON shop.orders USING gin (to_tsvector('english', note));
CREATE UNIQUE INDEX orders_loose ON shop.orders (lower(note)) NULLS NOT DISTINCT;
CREATE INDEX orders_customer_id ON shop.orders (customer_id);
ALTER INDEX shop.orders_note ALTER COLUMN 2 SET STATISTICS 300;
ALTER TABLE shop.orders CLUSTER ON orders_customer_id;
CREATE STATISTICS shop.orders_stats (dependencies, mcv) ON customer_id, parent_id FROM shop.orders;
ALTER STATISTICS shop.orders_stats SET STATISTICS 77;
COMMENT ON INDEX shop.orders_gin IS 'words';
COMMENT ON STATISTICS shop.orders_stats IS 'linked';

CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION shop.touch(a int, VARIADIC b text[]) RETURNS SETOF int LANGUAGE sql STABLE COST 7 ROWS 5 SET search_path = shop, pg_temp AS 'SELECT 1';
CREATE PROCEDURE shop.work(INOUT a int) LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN a := 1; END $$;
CREATE FUNCTION shop.atomic(a int) RETURNS int LANGUAGE sql RETURN a + 1;
CREATE FUNCTION shop.plus(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $2';
CREATE AGGREGATE shop.glue(text) (SFUNC = shop.plus, STYPE = text, INITCOND = '');
COMMENT ON FUNCTION shop.touch(int, text[]) IS 'one';
COMMENT ON AGGREGATE shop.glue(text) IS 'many';

CREATE VIEW shop.rich WITH (security_barrier = true) AS SELECT c.id, c.name AS who FROM shop.customer c WHERE c.total > 100 WITH LOCAL CHECK OPTION;
CREATE MATERIALIZED VIEW shop.sums WITH (fillfactor = 50) AS SELECT c.mood, sum(c.total) AS total, count(*) AS n FROM shop.customer c JOIN shop.customer d ON d.id = c.id GROUP BY c.mood;
CREATE UNIQUE INDEX sums_mood ON shop.sums (mood);
CREATE RECURSIVE VIEW shop.numbers (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 10;
CREATE RULE no_delete AS ON DELETE TO shop.rich DO INSTEAD NOTHING;
COMMENT ON VIEW shop.rich IS 'v';
COMMENT ON COLUMN shop.rich.who IS 'vc';
COMMENT ON MATERIALIZED VIEW shop.sums IS 'm';
COMMENT ON RULE no_delete ON shop.rich IS 'r';

CREATE FUNCTION shop.same(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE FUNCTION shop.order_of(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE OPERATOR shop.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = shop.same, COMMUTATOR = OPERATOR(shop.===), RESTRICT = eqsel, HASHES);
CREATE OPERATOR FAMILY shop.odd USING btree;
CREATE OPERATOR CLASS shop.odd_ops FOR TYPE int USING btree FAMILY shop.odd AS OPERATOR 1 <, OPERATOR 3 shop.===, FUNCTION 1 shop.order_of(int, int);
CREATE FUNCTION shop.to_mood(int) RETURNS shop.mood LANGUAGE sql IMMUTABLE AS $$ SELECT 'ok'::shop.mood $$;
CREATE CAST (int AS shop.mood) WITH FUNCTION shop.to_mood(int) AS ASSIGNMENT;
COMMENT ON CAST (int AS shop.mood) IS 'k';
COMMENT ON OPERATOR shop.=== (int, int) IS 'o';

CREATE TEXT SEARCH DICTIONARY shop.plain (TEMPLATE = pg_catalog.simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION shop.words ALTER MAPPING FOR word WITH shop.plain, simple;
COMMENT ON TEXT SEARCH CONFIGURATION shop.words IS 't';

CREATE FUNCTION shop.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watcher ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'ALTER TABLE') EXECUTE FUNCTION shop.watch();
ALTER EVENT TRIGGER watcher DISABLE;
COMMENT ON EVENT TRIGGER watcher IS 'e';

-- layer: rules
CREATE TRIGGER touch_it BEFORE INSERT OR UPDATE OF note, customer_id ON shop.orders FOR EACH ROW WHEN (NEW.note IS NOT NULL) EXECUTE FUNCTION shop.touch();
CREATE CONSTRAINT TRIGGER later AFTER DELETE ON shop.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TRIGGER seen AFTER UPDATE ON shop.orders REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.orders ENABLE REPLICA TRIGGER seen;
COMMENT ON TRIGGER later ON shop.orders IS 'tr';

CREATE TRIGGER touch_it BEFORE INSERT ON shop.measure FOR EACH ROW EXECUTE FUNCTION shop.touch();

CREATE POLICY mine ON shop.orders AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (customer_id > 0) WITH CHECK (customer_id < 10);
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
COMMENT ON POLICY mine ON shop.orders IS 'p';

GRANT SELECT, INSERT ON shop.customer TO PUBLIC;
GRANT SELECT ON shop.animal TO pg_monitor WITH GRANT OPTION;
GRANT UPDATE (note) ON shop.orders TO pg_monitor;
REVOKE EXECUTE ON FUNCTION shop.touch() FROM PUBLIC;
GRANT USAGE ON SCHEMA shop TO pg_monitor;
GRANT USAGE ON SEQUENCE shop.tickets TO pg_monitor;
GRANT ALL ON shop.cache TO CURRENT_USER;

ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO pg_monitor;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE PUBLICATION news FOR TABLE shop.animal (name) WHERE (legs > 2) WITH (publish = 'insert');

CREATE PUBLICATION in_schema FOR TABLES IN SCHEMA ext;

CREATE PUBLICATION everything FOR ALL TABLES;

COMMENT ON SCHEMA shop IS 's';
COMMENT ON EXTENSION hstore IS 'pairs';
