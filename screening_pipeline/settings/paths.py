"""The layout of the data folder, and which files only the owner may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.base.failures import telling

# People's data and keys: the owner only. `data` itself can be passed through but not listed, so that
# analysts reach the published snapshot in it and nothing else.
_OWNER_ONLY = 0o700
_PASS_THROUGH = 0o711
_READABLE = 0o755
# DuckDB writes its log elsewhere where a path has the one, and finds no landed files where it has the other.
_UNUSABLE = frozenset("?\\")


@dataclass(frozen=True)
class Paths:
    """The layout of the data folder; nothing is created before `create` is called."""

    data_dir: Path
    dagster: Path

    @classmethod
    def under(cls, data_dir: Path, environ: Mapping[str, str]) -> Paths:
        """The layout below `data_dir`; Dagster's storage is at DAGSTER_HOME where that is set.

        Raises ConfigurationError where DAGSTER_HOME is not absolute, as Dagster wants it, or where the path of the
        folder has a sign that DuckDB takes for something else.
        """
        if bad := _UNUSABLE.intersection(str(data_dir.absolute())):
            problem = (
                f"{data_dir} has a {min(bad)} in it, with which the database does not find its files; name another"
            )
            raise ConfigurationError([problem], source="the data folder (SCREENING_DATA_DIR)")
        home = environ.get("DAGSTER_HOME", "").strip()
        dagster = Path(home).expanduser() if home else data_dir / "dagster"
        if home and not dagster.is_absolute():
            raise ConfigurationError(["must be an absolute path, or unset"], source="DAGSTER_HOME")
        return cls(data_dir, dagster)

    @property
    def orders(self) -> Path:
        """The folder of order manifests, put here by the customer; never changed."""
        return self.data_dir / "orders"

    @property
    def landing(self) -> Path:
        """The landing area: response bodies as received."""
        return self.data_dir / "landing"

    @property
    def warehouse(self) -> Path:
        """The live warehouse, a DuckDB file."""
        return self.data_dir / "warehouse.duckdb"

    @property
    def warehouse_lock(self) -> Path:
        """The lock file of the writer of the live warehouse."""
        return self.data_dir / "warehouse.lock"

    @property
    def published(self) -> Path:
        """The published snapshot for analysts, read-only, in a folder of its own."""
        return self.data_dir / "published" / "screening.duckdb"

    @property
    def parquet(self) -> Path:
        """The folder of Parquet exports, for tools that do not speak DuckDB."""
        return self.data_dir / "published" / "parquet"

    @property
    def report(self) -> Path:
        """The HTML report, where analysts find it."""
        return self.data_dir / "published" / "report.html"

    @property
    def earlier_report(self) -> Path:
        """The report as an earlier version placed it, where only the owner could read it."""
        return self.data_dir / "report.html"

    @property
    def state(self) -> Path:
        """The SQLite file of the shared state: rate limit slots, silences, the pull queue."""
        return self.data_dir / "state.sqlite"

    @property
    def pseudonym_key(self) -> Path:
        """The key file of pseudonyms, where the environment gives none."""
        return self.data_dir / "pseudonym.key"

    @property
    def pseudonym_note(self) -> Path:
        """The digest of the pseudonym key that this warehouse was built with."""
        return self.data_dir / "pseudonym.digest"

    @property
    def landing_note(self) -> Path:
        """The digest of the encryption key of landed lines, where they are encrypted."""
        return self.data_dir / "landing.digest"

    @property
    def spool_key(self) -> Path:
        """The key file of the spool, which encrypts bodies between arrival and masking."""
        return self.data_dir / "spool.key"

    @property
    def machine(self) -> Path:
        """By what other machines that share what is landed know this data folder: a random word."""
        return self.data_dir / "machine.id"

    @property
    def erasures_followed(self) -> Path:
        """How many erasures of all machines the files of this data folder have followed."""
        return self.data_dir / "erasures.followed"

    @property
    def orders_note(self) -> Path:
        """Which order files were copied from where machines share them, and by which marks."""
        return self.data_dir / "orders.copied"

    @property
    def moved(self) -> Path:
        """The marker of a data folder whose world was moved elsewhere: nothing is done here any more."""
        return self.data_dir / "moved.json"

    @property
    def claim(self) -> Path:
        """The marker of a data folder that configured accounts have used: the bundled sandbox refuses it."""
        return self.data_dir / "configured"

    @property
    def derived_lock(self) -> Path:
        """The lock file of exports and reports made from the snapshot, held from reading it until they are in place."""
        return self.data_dir / "derived.lock"

    @property
    def erasure_register(self) -> Path:
        """Who was erased, by keyed hashes alone; outlives the warehouse. Belongs into backups."""
        return self.data_dir / "erasures.ndjson"

    @property
    def erasure_intent(self) -> Path:
        """The sealed write-ahead intent of an erasure; removed when the erasure is complete."""
        return self.data_dir / "erasure.sealed"

    def folders(self) -> Mapping[Path, int]:
        """Every folder that the program creates, with its mode."""
        return {
            self.data_dir: _PASS_THROUGH,
            self.orders: _OWNER_ONLY,
            self.landing: _OWNER_ONLY,
            self.dagster: _OWNER_ONLY,
            self.published.parent: _READABLE,
        }

    def create(self) -> None:
        """Create the missing folders; existing ones keep their mode. Raises NotWritable."""
        for folder, mode in self.folders().items():
            _make(folder, mode)


def _make(folder: Path, mode: int) -> None:
    if folder.is_dir():
        return
    with telling(str(folder)):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        folder.chmod(mode)  # the umask has no say in this


def paths_of(environ: Mapping[str, str], cwd: Path) -> Paths:
    """The layout of the data folder that the environment names, without reading screening.toml."""
    data_dir = cwd / Path(environ.get("SCREENING_DATA_DIR", "").strip() or "data").expanduser()
    return Paths.under(data_dir, environ)
