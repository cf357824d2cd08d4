(select * from analytics.group_summary where grain = 'vendor')
