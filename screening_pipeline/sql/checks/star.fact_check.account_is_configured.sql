-- Every check belongs to an account of the configuration.
-- severity: warn
-- fix: Put the account back into screening.toml, or erase its checks if it is gone for good.
select f.check_key
from star.fact_check as f
left join star.dim_account as a on f.vendor = a.vendor and f.account = a.account
where a.account is null
