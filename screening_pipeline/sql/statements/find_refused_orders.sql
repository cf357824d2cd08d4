-- The lines that were refused for their account while other accounts than `$accounts` were configured.
select
    f.file_sha256,
    r.line
from ops.reject as r
inner join raw.order_file as f on starts_with(r.reject_id, concat(f.file_sha256[:16], '/'))
where
    r.source = 'manifest' and r.reason in ('unknown_account', 'account_required')
    and f.accounts is distinct from $accounts;
