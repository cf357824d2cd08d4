"""`examples/questions/*.sql`, written from `docs/questions.md`: `python tools/questions.py`.

One file for each question, to be run as it stands; a test keeps the page and the files equal.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "questions.md"
FOLDER = ROOT / "examples" / "questions"
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_QUERIES = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)


def files() -> dict[str, str]:
    """The name and the text of each file, in the order of the page."""
    sections = [(title, _QUERIES.findall(text)) for title, text in _SECTION.findall(PAGE.read_text(encoding="utf-8"))]
    asked = [(title, queries) for title, queries in sections if queries]
    return {
        f"{number:02}-{_slug(title)}.sql": _text(title, queries) for number, (title, queries) in enumerate(asked, 1)
    }


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _text(title: str, queries: list[str]) -> str:
    head = (
        f"-- {title} What the figures mean is told in docs/questions.md.\n" if title.endswith("?") else f"-- {title}.\n"
    )
    return head + "".join(f"\n{query.strip()}\n" for query in queries)


def main() -> None:
    """Write the files, and remove those of questions that are gone."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = files()
    for path in FOLDER.glob("*.sql"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
