-- Take back the plan of `$accounts`: all of it, or (unless `$is_whole`) what batches have touched since.
delete from ops.pull_plan
where
    (vendor, account) in ($accounts)
    and ($is_whole or check_key in (select check_key from staging.unplanned_check));
