"""The words: axes, what a vendor declares, one exchange, a pseudonym. Pure. May import base."""
