-- Settle the rejects of manifests of which no file holds the content any more; of those that one holds again, none is.
delete from ops.reject_settlement
where
    settled_by = 'file_gone'
    and reject_id in (
        select reject_id from ops.reject
        where source = 'manifest' and (reject_id[:16] in $held or file in $waiting)
    );

insert into ops.reject_settlement
select distinct
    r.reject_id,
    'file_gone' as settled_by,
    $now::timestamptz as settled_at
from ops.reject as r
anti join ops.reject_settlement as s on r.reject_id = s.reject_id
where r.source = 'manifest' and not (r.reject_id[:16] in $held or r.file in $waiting);
