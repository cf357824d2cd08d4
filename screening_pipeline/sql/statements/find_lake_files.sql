-- Each file that the last state of a lake needs: its name, its bytes and the key of its seal. Asked of its catalogue.
select
    concat(case when t.path_is_relative and s.path_is_relative then s.path end, t.path, f.path),
    f.file_size_bytes,
    coalesce(f.encryption_key, '')
from (
    select
        table_id,
        path,
        file_size_bytes,
        encryption_key
    from ducklake_data_file
    where end_snapshot is null
    union all
    select
        table_id,
        path,
        file_size_bytes,
        encryption_key
    from ducklake_delete_file
    where end_snapshot is null
) as f
inner join ducklake_table as t on f.table_id = t.table_id and t.end_snapshot is null
inner join ducklake_schema as s on t.schema_id = s.schema_id and s.end_snapshot is null
