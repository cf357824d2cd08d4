-- What was found, and what clients decided.
select * from analytics.adjudication_mix
order by vendor asc nulls last, n desc nulls last, result asc nulls last, adjudication asc nulls last
