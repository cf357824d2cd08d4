"""A game of pulls: vendors' worlds, policies that choose whom to ask, and what each of them sees."""
