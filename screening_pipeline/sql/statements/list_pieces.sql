-- The tables of the database in pieces of `$rows` rows: the quoted name, and the row at which each piece begins.
select
    format('"{}"."{}"', schema_name, table_name) as name,
    unnest(range(0, estimated_size + 1, $rows)) as first_row
from duckdb_tables()
where database_name = current_database() and not temporary;
