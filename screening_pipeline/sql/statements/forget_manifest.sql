-- Forget all that was read of a manifest that was changed meanwhile.
delete from ops.reject
where source = 'manifest' and starts_with(reject_id, $reject_prefix);

delete from new_order
where file_sha256 = $file_sha256;
