-- The views of the database in use: their names, and the statement that makes them, which may name no schema.
select
    concat(schema_name, '.', view_name) as view_name,
    sql
from duckdb_views()
where database_name = current_database()
