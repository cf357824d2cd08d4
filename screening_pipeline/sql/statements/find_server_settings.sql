-- The version of a PostgreSQL server, its synchronous standbys, and whether it sums what it writes. Asked of it.
select
    current_setting('server_version_num')::integer / 10000,
    current_setting('synchronous_standby_names'),
    coalesce(current_setting('data_checksums', true), 'off')
