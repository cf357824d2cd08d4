"""The error tree: its drawing is true, and its messages name codes, never payloads."""

from __future__ import annotations

import inspect
import re

import pytest

from screening_pipeline.base import errors
from screening_pipeline.base.errors import (
    AccountStopped,
    ConfigurationError,
    CredentialRefused,
    DiskFull,
    LockHeld,
    MissingSecret,
    NotWritable,
    RateLimited,
    ScreeningError,
    VendorError,
    VendorUnavailable,
)


def drawn_tree() -> dict[str, tuple[str, str]]:
    """Class → (its base, what stands in its line), read from the drawing in the module's docstring."""
    drawn: dict[str, tuple[str, str]] = {}
    above = ["ScreeningError"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([│ ]*)[├└]── (\w+)\s*(.*)$", line)
        if found:
            depth = len(found[1]) // 4 + 1
            drawn[found[2]] = (above[depth - 1], found[3])
            above[depth:] = [found[2]]
    return drawn


def test_the_drawing_shows_every_error_under_its_base() -> None:
    defined = {
        name: kind.__mro__[1].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__ and kind is not ScreeningError
    }
    assert {name: base for name, (base, _) in drawn_tree().items()} == defined


def test_the_drawing_shows_what_the_command_line_ends_with_and_what_is_worth_trying_again() -> None:
    for name, (_, told) in drawn_tree().items():
        kind = getattr(errors, name)
        if told[:1].isdigit():
            assert kind.exit_code == int(told[0]), name
        assert kind.is_retryable == ("worth" in told or "the wait" in told), name


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [getattr(errors, name).code for name in drawn_tree()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigurationError(["a is missing"], source="x.toml"), "x.toml: a is missing"),
        (ConfigurationError(["a", "b"], source="x.toml"), "x.toml: 2 problems\n  a\n  b"),
        (MissingSecret("API_KEY", account="zinc/uk"), "zinc/uk: API_KEY is not set in the environment"),
        (
            LockHeld("warehouse", holder_pid=7),
            "the lock 'warehouse' is held by process 7; wait for it to end, or stop it",
        ),
        (
            LockHeld("warehouse"),
            "the lock 'warehouse' is held by another process; wait for it to end, or stop it",
        ),
        (
            DiskFull("data", needed_bytes=5000, free_bytes=10),
            "the disk of data is full: 10 bytes are free, 5,000 are needed",
        ),
        (NotWritable("data", "Read-only file system"), "cannot write data: Read-only file system"),
        (VendorUnavailable("zinc", "uk", http_status=503), "zinc/uk: unavailable (HTTP 503)"),
        (AccountStopped("zinc", "uk", code="forbidden", http_status=403), "zinc/uk: forbidden (HTTP 403)"),
        (CredentialRefused("zinc", "uk"), "zinc/uk: credential_refused"),
        (RateLimited("zinc", "uk", retry_after_seconds=60), "zinc/uk: rate_limited (HTTP 429)"),
    ],
)
def test_a_message_says_what_failed_and_for_whom(error: ScreeningError, message: str) -> None:
    assert str(error) == message


def test_an_error_with_a_code_of_the_moment_leaves_its_class_as_it_is() -> None:
    assert VendorError("zinc", "uk", code="timeout").code == "timeout"
    assert VendorError("zinc", "uk").code == "vendor_failed"
