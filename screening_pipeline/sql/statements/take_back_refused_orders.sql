-- Forget what was said of the rows of a manifest that were refused for their account, before they are read again.
delete from ops.reject
where
    source = 'manifest' and reason in ('unknown_account', 'account_required')
    and starts_with(reject_id, $reject_prefix);
