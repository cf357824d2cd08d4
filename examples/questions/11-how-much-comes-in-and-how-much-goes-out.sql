-- How much comes in, and how much goes out? What the figures mean is told in docs/questions.md.

select week, vendor, ordered, completed, ended_otherwise, open_at_end
from analytics.throughput
order by week, vendor;
