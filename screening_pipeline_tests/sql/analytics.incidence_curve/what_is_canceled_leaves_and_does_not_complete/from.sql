(select * from analytics.incidence_curve where grain = 'vendor' and unit = 'seconds' and assumption = 'latest')
