"""The tests, and what they share: nothing here is installed with the package."""
