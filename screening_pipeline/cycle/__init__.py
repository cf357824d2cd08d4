"""Orders in, calls out, answers into the star. May import privacy and what is below it."""
