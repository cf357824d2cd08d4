"""The lines of a text, decoded as they are asked for, one by one or many at a time; none is longer than a bound."""

from __future__ import annotations

import io
from typing import IO

LONGEST_LINE = 1_000_000
"""Characters; what is longer was not made by whoever lists orders, line by line."""
BLOCK = 1 << 19
"""Characters that are read at once: some ten thousand rows, which is what is held in memory at a time."""


class TextLines:
    """The first `size` bytes of a file as lines; of a line that is too long only the beginning."""

    def __init__(self, file: IO[bytes], size: int, encoding: str, *, newline: str) -> None:
        self._text = io.TextIOWrapper(
            io.BufferedReader(_Limited(file, size)), encoding=encoding, errors="replace", newline=newline
        )
        self._newline = newline
        self._is_first = True
        self.is_cut = False

    def __iter__(self) -> TextLines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        self.is_cut = len(line) == LONGEST_LINE and not line.endswith(("\n", "\r"))
        rest = line
        while self.is_cut and rest and not rest.endswith(("\n", "\r")):
            rest = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        if self._is_first:
            self._is_first, line = False, line.removeprefix("\ufeff")
        return line

    def block(self) -> list[str]:
        """The next half million characters or so as whole lines, as the iteration would give them; [] at the end.

        The first line of a text is left to the iteration, which takes the mark off it.
        """
        text = self._text.read(BLOCK)
        while text.endswith("\r"):  # and perhaps the rest of its line end is still to come
            text += (more := self._text.read(1))
            if not more:
                break
        found = list(io.StringIO(text, newline=self._newline))
        if found and not found[-1].endswith(("\n", "\r")):
            found[-1] += next(self, "")
        return found


class _Limited(io.RawIOBase):
    """The first bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        content = self._file.read(min(len(buffer), self._left))
        buffer[: len(content)] = content
        self._left -= len(content)
        return len(content)
