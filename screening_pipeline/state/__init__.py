"""What processes share: accounts, rate limit, pull queue; losing it loses no fact. May import base."""
