(select * from analytics.turnaround_group where grain = 'vendor')
