"""The pages of the documentation, and the code blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# The pages about the hub service, whose settings, roles file and commands are its own: tests/test_docs_hub.py.
HUB_PAGES = sorted((ROOT / "docs").glob("hub-service*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks(language, pages=None):
    """Return the code blocks in a language, of some pages or of all."""
    return [
        Block(page.name, text.count("\n", 0, found.start()) + 1, language, found[2])
        for page in (PAGES if pages is None else pages)
        for text in [page.read_text()]
        for found in BLOCK.finditer(text)
        if found[1] == language
    ]


def prose(page):
    return BLOCK.sub("", page.read_text())
