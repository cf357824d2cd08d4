(select * from analytics.incidence_tally where grain = 'vendor')
