"""Draw the diagrams of docs/architecture.md: `make diagrams`.

The layers are those of pyproject.toml's import contracts, described by layers.toml. Every other
diagram is drawn from a sequence diagram in Mermaid's language, of which this reads `title`, `accDescr`,
`participant`, `->>`, `-->>` and `Note over`. Nothing but the standard library is used, so every
machine draws the same; tests/test_diagrams.py compares.
"""

from __future__ import annotations

import re
import sys
import textwrap
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent
PYPROJECT = FOLDER.parent.parent / "pyproject.toml"

STYLE = """\
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328; }
  .name { font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .code { font: 11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #59636e; }
  .middle { text-anchor: middle; }
  .page { fill: #ffffff; }
  .box { fill: #f6f8fa; stroke: #9aa4ae; stroke-width: 1.5; }
  .note { fill: #fff4e5; stroke: #bc5f00; }
  .life { stroke: #9aa4ae; stroke-dasharray: 4 4; }
  .way { fill: none; stroke: #0b66c3; stroke-width: 1.5; }
  .answer { stroke-dasharray: 5 4; }
  .tip, .step { fill: #0b66c3; }
  .number { font-size: 11px; font-weight: 600; fill: #ffffff; text-anchor: middle; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small, .code { fill: #aab4be; }
    .page { fill: #14181e; }
    .box { fill: #1c2128; stroke: #59636e; }
    .note { fill: #33260f; stroke: #e3902e; }
    .life { stroke: #59636e; }
    .way { stroke: #62aef8; }
    .tip, .step { fill: #62aef8; }
    .number { fill: #0b1016; }
  }
"""
LABEL = 'role="img" aria-labelledby="title description"'
TIP = (
    '<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"'
    ' orient="auto"><path class="tip" d="M0 0 10 5 0 10z"/></marker>'
)


class BadDiagram(ValueError):
    """What is wrong with the text of a diagram, in a sentence."""


# --- Text ----------------------------------------------------------------------------------


def width(text: str, size: float = 13) -> float:
    """Estimate how wide a line is in DejaVu Sans, the widest of the fonts that systems have."""
    narrow = len(re.findall(r"[ijlftr.,:;'|!()\[\]/ -]", text))
    wide = len(re.findall("[mwMW@]", text))
    capitals = len(re.findall("[A-LN-VX-Z0-9]", text))
    others = len(text) - narrow - wide - capitals
    return size * (0.37 * narrow + 0.95 * wide + 0.69 * capitals + 0.61 * others)


def wrap(text: str, room: float, size: float = 13) -> list[str]:
    """Break a text into lines that are no wider than `room`, if its words are not."""
    done: list[str] = []
    for word in text.split():
        if done and width(f"{done[-1]} {word}", size) <= room:
            done[-1] += f" {word}"
        else:
            done.append(word)
    return done


def lines(x: float, y: float, words: list[str], css: str, step: int = 16) -> list[str]:
    """Write lines of text, the first with its base line at `y`."""
    return [
        f'<text class="{css}" x="{x:.0f}" y="{y + step * number:.0f}">{escape(line)}</text>'
        for number, line in enumerate(words)
    ]


def picture(size: tuple[float, float], title: str, description: str, parts: list[str]) -> str:
    """Put the parts into an SVG that follows the reader's light or dark mode."""
    wide, high = size
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" {LABEL}>',
            "<!-- Made by `make diagrams`; edit the text beside it. -->",
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(description)}</desc>',
            f"<style>\n{STYLE}</style>",
            f"<defs>{TIP}</defs>",
            f'<rect class="page" width="{wide:.0f}" height="{high:.0f}" rx="10"/>',
            *parts,
            "</svg>\n",
        ]
    )


# --- Layers --------------------------------------------------------------------------------


def contract(package: str) -> list[list[str]]:
    """Return the layers of a package that import-linter holds, top first, each with its modules."""
    linter = tomllib.loads(PYPROJECT.read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = (
        contract["layers"]
        for contract in linter["contracts"]
        if contract["type"] == "layers"
        and contract.get("containers", [linter["root_package"]]) == [package]
    )
    return [[name.strip().removeprefix(f"{package}.") for name in row.split("|")] for row in layers]


def draw_layers(package: str, described: dict[str, str]) -> str:
    """Draw the layers of a package as rows of boxes.

    Raises:
        BadDiagram: if the contract has a module that is not described, or the other way round.
    """
    rows = contract(package)
    names = {name for row in rows for name in row}
    if names != described.keys():
        differ = ", ".join(sorted(names ^ described.keys()))
        raise BadDiagram(f"{package}'s import contract and layers.toml differ in: {differ}.")
    left, right, y, gap = 50, 950, 20.0, 12
    parts = []
    for row in rows:
        wide = (right - left - gap * (len(row) - 1)) / len(row)
        texts = [wrap(described[name], wide - 20, 12) for name in row]
        high = 34 + 15 * max(map(len, texts))
        for number, (name, text) in enumerate(zip(row, texts, strict=True)):
            x = left + number * (wide + gap)
            parts.append(
                f'<rect class="box" x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{high:.0f}" rx="6"/>'
            )
            parts += lines(x + 10, y + 20, [name], "name")
            parts += lines(x + 10, y + 37, text, "small", 15)
        y += high + gap
    parts.append(f'<path class="way" d="M25 20V{y - gap:.0f}" marker-end="url(#tip)"/>')
    words = "; ".join(", ".join(row) for row in rows)
    return picture(
        (970, y + 8),
        f"The layers of {package}: imports go down only",
        f"From the top: {words}. A module imports only what stands below it.",
        parts,
    )


# --- Sequences -----------------------------------------------------------------------------


@dataclass
class Item:
    """A message from one participant to another, or a note over some."""

    first: int
    last: int
    text: str
    kind: str
    """`call`, `answer` or `note`."""


@dataclass
class Sequence:
    """What the text of a sequence diagram says."""

    title: str = ""
    description: str = ""
    participants: dict[str, list[str]] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)


MESSAGE = re.compile(r"(\w+)(--?>>)(\w+): (.+)")
NOTE = re.compile(r"Note over (\w+)(?:,(\w+))?: (.+)")
PARTICIPANT = re.compile(r"participant (\w+) as (.+)")


def parse(text: str) -> Sequence:
    """Read a sequence diagram.

    Raises:
        BadDiagram: if a line is none of those that this understands.
    """
    found = Sequence()
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("%%") or line == "sequenceDiagram":
            continue
        if line.startswith("title: "):
            found.title = line.removeprefix("title: ")
        elif line.startswith("accDescr: "):
            found.description = line.removeprefix("accDescr: ")
        elif match := PARTICIPANT.fullmatch(line):
            # A path breaks after its folder: the columns would be too wide.
            found.participants[match[1]] = re.sub(r"/(?=\w)", "/<br/>", match[2]).split("<br/>")
        elif match := NOTE.fullmatch(line):
            first, last = _columns(found, line, match[1], match[2] or match[1])
            found.items.append(Item(min(first, last), max(first, last), match[3], "note"))
        elif match := MESSAGE.fullmatch(line):
            first, last = _columns(found, line, match[1], match[3])
            kind = "answer" if match[2] == "-->>" else "call"
            found.items.append(Item(first, last, match[4], kind))
        else:
            raise BadDiagram(f"This line is not understood: {line}")
    return found


def _columns(found: Sequence, line: str, *names: str) -> list[int]:
    known = list(found.participants)
    for name in names:
        if name not in known:
            raise BadDiagram(f"No participant is called {name}: {line}")
    return [known.index(name) for name in names]


WRAP = 32
HEAD = 58


def _head(label: list[str]) -> float:
    # The name is bold; of the code below it, every letter has the same width.
    return max(width(label[0], 14.5), *(0.61 * 11 * len(line) for line in label[1:]), 0) + 24


def _centers(found: Sequence) -> list[float]:
    """Place the columns: as close as the boxes and the texts between them allow."""
    heads = [_head(label) for label in found.participants.values()]
    centers = [heads[0] / 2 + 15]
    for column in range(1, len(heads)):
        place = centers[-1] + (heads[column - 1] + heads[column]) / 2 + 14
        for item in found.items:
            if (
                item.kind != "note"
                and item.first != item.last
                and max(item.first, item.last) == column
            ):
                wanted = max(width(line, 12) for line in textwrap.wrap(item.text, WRAP)) + 56
                place = max(place, centers[min(item.first, item.last)] + wanted)
            elif item.first == item.last == column - 1 and item.kind != "note":
                wanted = max(width(line, 12) for line in textwrap.wrap(item.text, WRAP)) + 56
                place = max(place, centers[column - 1] + wanted)
        centers.append(place)
    return centers


def draw_sequence(found: Sequence) -> str:
    """Draw the participants as columns, and what passes between them as numbered arrows."""
    centers = _centers(found)
    heads = [_head(label) for label in found.participants.values()]
    own = [i for i in found.items if i.first == i.last == len(heads) - 1 and i.kind != "note"]
    own_text = [width(line, 12) + 60 for i in own for line in textwrap.wrap(i.text, WRAP)]
    right = centers[-1] + max([heads[-1] / 2, *own_text]) + 15
    parts: list[str] = []
    y, number = 15.0 + HEAD + 10, 0
    for item in found.items:
        if item.kind == "note":
            drawn, y = _note(item, centers, right, y)
        else:
            number += 1
            drawn, y = _message(item, centers, y, number)
        parts += drawn
    y += 12
    life = [f'<path class="life" d="M{x:.0f} {15 + HEAD}V{y:.0f}"/>' for x in centers]
    boxes = []
    for x, wide, label in zip(centers, heads, found.participants.values(), strict=True):
        boxes.append(
            f'<rect class="box" x="{x - wide / 2:.0f}" y="15" width="{wide:.0f}" height="{HEAD}" rx="6"/>'
        )
        top = 15 + HEAD / 2 + 5 - 8 * (len(label) - 1)
        boxes += lines(x, top, label[:1], "name middle") + lines(
            x, top + 16, label[1:], "code middle", 14
        )
    return picture((right, y + 15), found.title, found.description, [*life, *boxes, *parts])


def _note(item: Item, centers: list[float], right: float, y: float) -> tuple[list[str], float]:
    room = 110 if item.first == item.last else 60
    start = max(centers[item.first] - room, 12)
    end = min(centers[item.last] + room, right - 12)
    words = wrap(item.text, end - start - 20)
    high = 10 + 16 * len(words)
    box = f'<rect class="note" x="{start:.0f}" y="{y + 6:.0f}" width="{end - start:.0f}" height="{high}" rx="4"/>'
    text = lines((start + end) / 2, y + 23, words, "middle")
    return [box, *text], y + high + 18


def _message(item: Item, centers: list[float], y: float, number: int) -> tuple[list[str], float]:
    start, end = centers[item.first], centers[item.last]
    words = textwrap.wrap(item.text, max(WRAP, int((abs(end - start) - 50) / 7)))
    bottom = y + 15 * len(words) + 7
    css = "way answer" if item.kind == "answer" else "way"
    if item.first == item.last:
        x, css_text = start + 42, "small"
        way = f"M{start:.0f} {y + 8:.0f}h30v{bottom - y - 6:.0f}h-28"
        begin = (start, y + 8)
        bottom += 4
    else:
        side = 1 if end > start else -1
        way = f"M{start:.0f} {bottom:.0f}H{end - side:.0f}"
        begin = (start, bottom)
        x, css_text = (start + end + side * 13) / 2, "small middle"
    wide = max(width(line, 12) for line in words)
    left = x - 3 if css_text == "small" else x - wide / 2 - 3
    return [
        f'<rect class="page" x="{left:.0f}" y="{y + 2:.0f}" width="{wide + 6:.0f}" height="{15 * len(words)}"/>',
        *lines(x, y + 13, words, css_text, 15),
        f'<path class="{css}" d="{way}" marker-end="url(#tip)"/>',
        f'<circle class="step" cx="{begin[0]:.0f}" cy="{begin[1]:.0f}" r="9"/>',
        f'<text class="number" x="{begin[0]:.0f}" y="{begin[1] + 4:.0f}">{number}</text>',
    ], bottom + 12


# --- All of them ---------------------------------------------------------------------------


def draw_all() -> dict[Path, str]:
    """Return what each diagram's file should hold."""
    described = tomllib.loads((FOLDER / "layers.toml").read_text("utf-8"))
    drawn = {
        FOLDER / f"layers-{package.rpartition('.')[2]}.svg": draw_layers(package, modules)
        for package, modules in described.items()
    }
    for source in sorted(FOLDER.glob("*.mmd")):
        drawn[source.with_suffix(".svg")] = draw_sequence(parse(source.read_text("utf-8")))
    return drawn


def main() -> int:
    """Write the diagrams; return the exit code."""
    try:
        drawn = draw_all()
    except BadDiagram as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    for path, content in drawn.items():
        path.write_text(content, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
