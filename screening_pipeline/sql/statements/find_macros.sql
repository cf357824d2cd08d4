-- The macros of the database in use: their schemas, names, parameters, and whether they are tables.
select
    schema_name,
    function_name,
    array_to_string(parameters, ', ') as parameters,
    function_type = 'table_macro' as is_table
from duckdb_functions()
where database_name = current_database() and function_type in ('macro', 'table_macro')
