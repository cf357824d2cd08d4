(select * from analytics.group_percentile where grain = 'vendor')
