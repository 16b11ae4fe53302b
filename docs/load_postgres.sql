-- Loads a tap's messages from stdin into PostgreSQL, all in one transaction, and prints the last STATE when that is
-- committed, as a target does:
--
--   tap-sentry --config config.json --state state.json | psql -X -f docs/load_postgres.sql > new.json
--
-- Each stream becomes a table of the schema `sentry`; `-v schema=NAME` sets another. Tables and columns are created as the
-- SCHEMA messages say; rows are updated by their key. Dates are `timestamptz`, other text `text`, whole numbers `bigint`,
-- numbers `double precision`, objects and lists `jsonb`.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\encoding UTF8
\if :{?schema}
\else
  \set schema sentry
\endif
set client_min_messages = warning;
create temporary table messages (line bigint generated always as identity, body text);
-- Text format would read backslashes; CSV whose quote and delimiter are characters that JSON has to escape reads none.
\copy messages (body) from pstdin with (format csv, quote e'\x01', delimiter e'\x02')

begin;
create schema if not exists :"schema";
set local search_path = :"schema";
do $$
declare
  message json; stream text; keys text; columns text; definitions text; additions text; changes text;
begin
  -- A tap that was killed may leave half a line.
  begin
    perform body::json from pg_temp.messages order by line desc limit 1;
  exception when invalid_text_representation then
    delete from pg_temp.messages where line = (select max(line) from pg_temp.messages);
  end;

  for message in
    select distinct on (schema ->> 'stream') schema
    from (select line, body::json as schema from pg_temp.messages where starts_with(body, '{"type":"SCHEMA"')) schemas
    order by schema ->> 'stream', line desc
  loop
    stream := message ->> 'stream';
    select string_agg(quote_ident(key), ', ') into keys from json_array_elements_text(message -> 'key_properties') key;
    select string_agg(quote_ident(key), ', '), string_agg(definition, ', '),
        string_agg('add column if not exists ' || definition, ', '), string_agg(format('%1$I = excluded.%1$I', key), ', ')
      into columns, definitions, additions, changes
      from json_each(message #> '{schema,properties}'), to_jsonb(value -> 'type') types, format('%I %s', key, case
        when types ? 'string' and value ->> 'format' = 'date-time' then 'timestamptz'
        when types ? 'string' then 'text'
        when types ? 'integer' then 'bigint'
        when types ? 'number' then 'double precision'
        when types ? 'boolean' then 'boolean'
        else 'jsonb' end) definition;
    execute format('create table if not exists %I (%s, primary key (%s))', stream, definitions, keys);
    execute format('alter table %I %s', stream, additions);
    -- Of rows that repeat a key the last is the newest.
    execute format(
      'insert into %1$I (%2$s) select %2$s from (
         select distinct on (%3$s) r.* from pg_temp.messages, jsonb_populate_record(null::%1$I, body::jsonb -> ''record'') r
         where starts_with(body, %4$L) order by %3$s, line desc) newest
       on conflict (%3$s) do update set %5$s',
      stream, columns, keys, format('{"type":"RECORD","stream":"%s"', stream), changes);
  end loop;
end $$;
commit;
select body::json -> 'value' from pg_temp.messages where starts_with(body, '{"type":"STATE"') order by line desc limit 1;
