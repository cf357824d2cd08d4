-- What was found, and what clients decided.
select * from analytics.adjudication_mix
order by vendor asc, n desc, result asc, adjudication asc
