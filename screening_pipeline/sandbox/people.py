"""Invented people, each datum with a canary in it, so that a leak can be found by searching for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CANARIES: Final = ("Canaria", "canaria.", "900-12-", "Canary Row", "CANLIC-")
"""Substrings that appear in the sandbox's people's data and nowhere else."""

BIRTH_DATE: Final = r"\b1901-\d\d-\d\d\b|\b\d\d/\d\d/1901\b"
"""A pattern that finds the dates of birth of the sandbox's people, and no other date."""

CITIES: Final = (("Ocala", "FL", "34470"), ("Austin", "TX", "73301"), ("Fresno", "CA", "93650"))


@dataclass(frozen=True, slots=True)
class Person:
    """A candidate who does not exist; `number` is 0 to 9999."""

    number: int

    @property
    def candidate_ref(self) -> str:
        """The customer's own reference, as the order manifest gives it."""
        return f"cand-{self.number:06d}"

    @property
    def full_name(self) -> str:
        """First and last name, as a person would write it."""
        return f"Canaria Testperson{self.number:04d}"

    def name_and_email(self) -> dict[str, object]:
        """What an employer knows when it orders a report."""
        first, last = self.full_name.split()
        return {"FirstName": first, "LastName": last, "Email": f"canaria.{self.number:04d}@example.invalid"}

    def full_candidate(self) -> dict[str, object]:
        """What a candidate has given away by the time the search starts."""
        city, state, postcode = CITIES[self.number % len(CITIES)]
        licence = {"DriverLicenseNum": f"CANLIC-{self.number:04d}", "DriverLicenseState": state}
        return self.name_and_email() | {
            "DateOfBirth": self._date_of_birth(),
            "SSN": f"900-12-{self.number:04d}",
            "Address": f"{self.number} Canary Row",
            "City": city,
            "State": state,
            "Zip": postcode,
            "CandidateDriverRecords": [licence],
        }

    def _date_of_birth(self) -> str:
        month, day = 1 + self.number % 12, 1 + self.number % 28
        if self.number % 3:
            return f"1901-{month:02d}-{day:02d}"
        return f"{month:02d}/{day:02d}/1901"  # G3: the vendor's example disagrees with its own format
