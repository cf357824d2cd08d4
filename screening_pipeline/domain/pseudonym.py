"""Keyed pseudonyms: how a person is called everywhere outside the landing area. And the keys of what is stored.

Whoever has the key can tell whether a known reference is the person behind a pseudonym; without it
nobody can. Another key makes other pseudonyms, so the key is kept for as long as the warehouse is, and
a digest of it is noted beside the warehouse: where the key is another one, nothing is read or written.
"""

from __future__ import annotations

import hmac

SHORTEST_KEY = 16
TOO_SHORT = f"must hold at least {SHORTEST_KEY} characters"
ANOTHER_PSEUDONYM_KEY = (
    "is not the key that people have their pseudonyms by, so that nobody would be known again, nor who was erased; "
    "put the right one back"
)
ANOTHER_LANDING_KEY = "is not the key that landed lines are encrypted with; put the right one back"


def pseudonym(key: bytes, candidate_ref: str) -> str:
    """The pseudonym of a person's reference: HMAC-SHA-256 of the exact text, the first 32 hex digits."""
    return hmac.digest(key, candidate_ref.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]
