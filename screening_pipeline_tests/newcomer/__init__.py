"""A vendor that nobody knows: what a person drops into a clone to add one, and a world in which it answers."""
