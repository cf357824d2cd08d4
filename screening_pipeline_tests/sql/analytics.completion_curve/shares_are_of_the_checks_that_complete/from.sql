(select * from analytics.completion_curve where grain = 'vendor' and unit = 'seconds' and assumption = 'latest')
