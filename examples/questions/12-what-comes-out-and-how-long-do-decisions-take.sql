-- What comes out, and how long do decisions take? What the figures mean is told in docs/questions.md.

select vendor, result, adjudication, n, round(share, 3) as share, to_seconds(p50) as decided_after, p50_business_days
from analytics.adjudication_mix
order by vendor, n desc;
