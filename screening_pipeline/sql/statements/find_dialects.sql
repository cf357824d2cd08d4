-- How the order files are written that are there, where that is not plain CSV.
select
    o.file,
    f.dialect
from staging.order_look as o
inner join raw.order_file as f on o.file_sha256 = f.file_sha256
where f.dialect is not null
order by o.file asc nulls last;
