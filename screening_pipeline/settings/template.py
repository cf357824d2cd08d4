"""The commented screening.toml that `init` writes, generated from key declarations and vendor declarations."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from screening_pipeline.domain.declaration import Vendor
from screening_pipeline.settings.account import Account
from screening_pipeline.settings.file import account_keys
from screening_pipeline.settings.settings import SECTIONS, SlaTarget
from screening_pipeline.settings.table_reader import Key, keys_of, part_of, toml_text
from screening_pipeline.vendors import all_vendors

_COMMENTS_FROM, _COMMENTS_TO = 42, 90
"""The columns in which comments begin."""
_WIDTH = 120

_HEAD = """\
# Accounts and choices of screening-pipeline.
#
# Secrets never stand in this file. Keys that end in _env hold the NAME of an environment variable,
# and the secret itself is read from there. `screening-pipeline doctor` tells what is missing.
#
# Keep the accounts you have and delete the others. Keys behind a # show their default, or an example where there is
# none, and may be left out. What a key means is told where it first stands.
"""
NEXT = """\
Next:
  1. keep the accounts you have in screening.toml, and delete the others
  2. export the secrets that it names, then `screening-pipeline doctor` says what is still missing
  3. put your orders into data/orders/, in files like the example, then `screening-pipeline sync`
  4. `screening-pipeline dev` opens Dagster's pages, and asks for whatever is due
To try it first against invented vendors: `screening-pipeline demo`, in a folder of its own."""
_ACCOUNTS = "Accounts: one [[accounts]] table for each account at a vendor"
_PROMISES = "Promises of turnaround: one [[sla]] table each; leave a scope out to mean any"
_REST = "Everything else"

_Told = set[tuple[str, str]]
"""What was explained: (key, what was said of it)."""


def example_orders() -> str:
    """An order file with one row, as CSV."""
    slug = next(iter(all_vendors()))
    header = "vendor,account,check_id,candidate_ref,package,ordered_at"
    return f"{header}\n{slug},main,5f1c2a90,C-1042,standard,2026-03-02T09:14:00+00:00\n"


def text() -> str:
    """The configuration template, valid as it stands and with every commented key in force."""
    told: _Told = set()
    first = next(iter(all_vendors().values()))
    lines = [_HEAD, *_heading(_ACCOUNTS)]
    for declared in all_vendors().values():
        lines += [*_account(declared, told), ""]
    lines += [*_heading(_PROMISES), "# [[sla]]", *_lines(keys_of(SlaTarget), first, told), "", *_heading(_REST)]
    for name, section in SECTIONS.items():
        lines += [f"[{name}]", *_lines(keys_of(section), first, told), ""]
    return "\n".join(lines[:-1]) + "\n"


def _heading(words: str) -> list[str]:
    return ["", f"# ── {words} ".ljust(100, "─"), ""]


def _account(declared: Vendor, told: _Told) -> Iterator[str]:
    """The TOML table of a vendor's account: required keys in force, others as comments; repeated keys left out."""
    keys = account_keys(declared)
    needed = _needed(declared, keys)
    as_ever = {name for name, key in keys_of(Account).items() if told and not key.is_particular}
    if len(declared.auth) == 1:
        as_ever.add("auth")
    rest = {name: key for name, key in keys.items() if name not in needed and name not in as_ever}
    yield "[[accounts]]"
    yield from _lines(needed, declared, told, is_in_force=True)
    yield from _lines(rest, declared, told)


def _needed(declared: Vendor, keys: Mapping[str, Key]) -> dict[str, Key]:
    """The keys without which the account is not asked, in the order in which they are explained best."""
    flow = next(iter(declared.auth.values()))
    names = ["vendor", "name", "base_url", *(["auth"] if len(declared.auth) > 1 else [])]
    names += [*(["token_url"] if flow.scheme == "oauth2" else []), *(f"{role}_env" for role in flow.secrets)]
    return {name: keys[name] for name in names}


def _lines(keys: Mapping[str, Key], subject: Vendor, told: _Told, *, is_in_force: bool = False) -> Iterator[str]:
    """The lines of these keys, each with its help unless in `told`; keys with nothing to show are left out."""
    for name, key in keys.items():
        if shown := _shown(key, subject):
            words = part_of(key.help, subject)
            said = (name, words)
            yield from _commented(f"{'' if is_in_force else '# '}{name} = {shown}", "" if said in told else words)
            told.add(said)


def _shown(key: Key, subject: Vendor) -> str:
    """The value to show: the example, else the default; nothing where there is neither."""
    if key.example or key.default in (None, {}, ()):
        return str(part_of(key.example, subject))
    return toml_text(key.default)


def _commented(line: str, words: str) -> Iterator[str]:
    """A line with a comment behind it, which goes on below; above it where there is no room."""
    column = max(_COMMENTS_FROM, len(line) + 2)
    if not words:
        yield line
    elif column > _COMMENTS_TO:
        yield from (f"# {above}" for above in textwrap.wrap(words, _WIDTH - 2))
        yield line
    else:
        first, *others = textwrap.wrap(words, _WIDTH - column - 2)
        yield f"{line:<{column}}# {first}"
        yield from (f"{'':{column}}# {other}" for other in others)
