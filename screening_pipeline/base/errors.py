"""The tree of what can go wrong: whose fault it is, and whether trying again can help.

ScreeningError                     code, exit_code, is_retryable
├── UsageError                     2  the caller: a wrong command, option or file
│   └── ConfigurationError         2  screening.toml or a variable; lists every problem at once
│       └── MissingSecret          2  an account's secret is not in the environment
├── EnvironmentFailed              3  the machine: disk, locks, network
│   ├── LockHeld                   3  another process has it; worth waiting
│   ├── LockLost                   3  what it guarded was ended; worth beginning again
│   ├── PlaceOutOfReach            3  a bucket or shared folder; worth trying again
│   ├── DiskFull                   3
│   └── NotWritable                3
└── VendorError                    1  one account's vendor; the others go on
    ├── AccountStopped             1  nothing more is asked of this account in this run
    │   └── CredentialRefused      1
    ├── VendorUnavailable          1  refused, timed out or 5xx; worth trying again
    ├── RateLimited                1  429, with the wait the vendor asked for; or a 5xx with one
    └── PollingNotOffered          1  the provider answers pushes only

Messages carry codes, names and numbers, never a payload, a secret, a URL's query or a header:
exception texts end up in logs, in event stores and on screens.
"""

from __future__ import annotations

from collections.abc import Iterable


class ScreeningError(Exception):
    """Base class of all errors that this program raises on purpose.

    `code` is a stable machine word, `exit_code` the command line's exit code, `is_retryable` whether the same call may
    succeed later without any change by a person.
    """

    code = "failed"
    exit_code = 1
    is_retryable = False

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class UsageError(ScreeningError):
    """The command was used wrongly; the message names the argument and the nearest right one."""

    code = "usage"
    exit_code = 2


class ConfigurationError(UsageError):
    """The configuration is wrong. `problems` holds one line per problem, each naming its key."""

    code = "configuration"

    def __init__(self, problems: Iterable[str], *, source: str) -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(_listed(source, self.problems))


class MissingSecret(ConfigurationError):
    """The environment variable `variable`, which should hold a secret of `account`, has no usable value."""

    code = "missing_secret"

    def __init__(self, variable: str, *, account: str, reason: str = "is not set in the environment") -> None:
        self.variable = variable
        self.account = account
        super().__init__([f"{variable} {reason}"], source=account)


class EnvironmentFailed(ScreeningError):
    """The machine cannot do it: disk, permission, lock, network."""

    code = "environment"
    exit_code = 3


class LockHeld(EnvironmentFailed):
    """Another process holds the lock `lock` (a name, not a path); `holder_pid` is its process id where known.

    `holder` says more of it than that, where it may be on another machine.
    """

    code = "lock_held"
    is_retryable = True

    def __init__(self, lock: str, *, holder_pid: int | None = None, holder: str | None = None) -> None:
        self.lock = lock
        self.holder_pid = holder_pid
        holder = holder or (f"process {holder_pid}" if holder_pid else "another process")
        super().__init__(f"the lock '{lock}' is held by {holder}; wait for it to end, or stop it")


class LockLost(EnvironmentFailed):
    """The lock `lock`, of a database, was lost while it was held: others may have it by now."""

    code = "lock_lost"
    is_retryable = True

    def __init__(self, lock: str, reason: str) -> None:
        self.lock = lock
        super().__init__(f"the lock '{lock}' was lost ({reason}), so what it guarded was ended; begin again")


class PlaceOutOfReach(EnvironmentFailed):
    """A bucket, or a folder that machines mount, cannot be used now: what is to be put there waits in the database."""

    code = "place_out_of_reach"
    is_retryable = True


class DiskFull(EnvironmentFailed):
    """There is too little room to go on safely."""

    code = "disk_full"

    def __init__(self, where: str, *, needed_bytes: int, free_bytes: int) -> None:
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes
        room = f"{free_bytes:,} bytes are free, {needed_bytes:,} are needed"
        super().__init__(f"the disk of {where} is full: {room}")


class NotWritable(EnvironmentFailed):
    """A file or folder of the data folder cannot be written."""

    code = "not_writable"

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"cannot write {where}: {reason}")


class VendorError(ScreeningError):
    """One account's vendor answered badly or not at all. `code` says how; no payload is kept."""

    code = "vendor_failed"

    def __init__(
        self,
        vendor: str,
        account: str,
        *,
        code: str | None = None,
        http_status: int | None = None,
    ) -> None:
        self.vendor = vendor
        self.account = account
        self.http_status = http_status
        word = code or type(self).code
        status = f" (HTTP {http_status})" if http_status is not None else ""
        super().__init__(f"{vendor}/{account}: {word}{status}", code=word)


class AccountStopped(VendorError):
    """The account's circuit is open: no further call in this run, as after a 403 (G15: no state of a check)."""

    code = "account_stopped"


class CredentialRefused(AccountStopped):
    """A 401 although the credential or token was fresh."""

    code = "credential_refused"


class VendorUnavailable(VendorError):
    """Connection refused or dropped, deadline passed, or a 5xx."""

    code = "unavailable"
    is_retryable = True


class RateLimited(VendorError):
    """The account is silent for `retry_after_seconds`: after a 429, or (`unavailable`) a 5xx that said for how long."""

    code = "rate_limited"
    is_retryable = True

    def __init__(
        self,
        vendor: str,
        account: str,
        *,
        retry_after_seconds: float,
        code: str | None = None,
        http_status: int | None = 429,
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(vendor, account, code=code, http_status=http_status)


class PollingNotOffered(VendorError):
    """The provider does not implement this call (K9: polling is optional)."""

    code = "polling_not_offered"


def _listed(source: str, problems: tuple[str, ...]) -> str:
    if len(problems) == 1:
        return f"{source}: {problems[0]}"
    return "\n".join([f"{source}: {len(problems)} problems", *(f"  {line}" for line in problems)])
