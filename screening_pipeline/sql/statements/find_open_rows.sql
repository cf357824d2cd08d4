-- The rejected rows of manifests that are not settled and that another file may hold mended.
select
    r.row_key,
    r.reject_id
from ops.reject as r
anti join ops.reject_settlement as s on r.reject_id = s.reject_id
where r.source = 'manifest' and r.row_key is not null;
