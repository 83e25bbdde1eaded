"""Draws what hub_simulation.py counted, as an SVG for light and dark pages, without a plotting library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from xml.sax.saxutils import escape

STYLE = """\
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328; }
  .name { font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .end { text-anchor: end; }
  .middle { text-anchor: middle; }
  .page { fill: #ffffff; }
  .grid { stroke: #d0d7de; }
  .away { fill: #bc5f00; fill-opacity: 0.18; }
  .aim { stroke: #bc5f00; stroke-dasharray: 6 4; }
  .now { fill: none; stroke: #0b66c3; stroke-width: 1.5; }
  .tenth { fill: none; stroke: #9aa4ae; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #aab4be; }
    .page { fill: #14181e; }
    .grid { stroke: #3a424b; }
    .away { fill: #e3902e; fill-opacity: 0.25; }
    .aim { stroke: #e3902e; }
    .now { stroke: #62aef8; }
    .tenth { stroke: #76818c; }
  }
"""
TITLE = "Token refreshes a minute of 10,000 users on four days"
DESCRIPTION = (
    "With the first refresh spread over a token's life, the refreshes stay level from the first hour on, also"
    " after ten minutes without the service. With a jitter of a tenth of the life alone, waves go on until"
    " the evening."
)
WIDTH, PANEL, TOP, LEFT, RIGHT = 900, 190, 62, 62, 20
PLOT = 130
# Minutes since midnight, and refreshes a minute; higher ones are cut off.
FIRST, LAST, HIGHEST = 8 * 60 + 30, 17 * 60, 1600
# What is drawn of one day: its name, when the service is away (minutes), the refreshes of each minute with the
# first one spread over a token's life, and without that, and the most that the aim allows.
Panel = tuple[str, tuple[float, float], Counter[int], Counter[int], float]


def x(minute: float) -> float:
    """Return where a minute is."""
    return LEFT + (minute - FIRST) / (LAST - FIRST) * (WIDTH - LEFT - RIGHT)


def y(refreshes: float, top: float) -> float:
    """Return where a number of refreshes is, in the panel that begins at `top`."""
    return top + PLOT * (1 - min(refreshes, HIGHEST) / HIGHEST)


def line(kind: str, counted: Counter[int], top: float) -> str:
    """Draw the refreshes of each minute."""
    points = " ".join(
        f"{x(minute):.1f},{y(counted[minute], top):.1f}" for minute in range(FIRST, LAST)
    )
    return f'<polyline class="{kind}" points="{points}"/>'


def panel(top: float, day: Panel) -> list[str]:
    """Draw one day."""
    name, away, refreshes, before, aim = day
    drawn = [f'<text class="name" x="{LEFT}" y="{top - 8}">{escape(name)}</text>']
    if away[1]:
        wide = x(away[1]) - x(away[0])
        drawn.append(
            f'<rect class="away" x="{x(away[0]):.1f}" y="{top}" width="{wide:.1f}" height="{PLOT}"/>'
        )
    for number in range(0, HIGHEST + 1, 400):
        at = y(number, top)
        drawn.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        drawn.append(f'<text class="small end" x="{LEFT - 6}" y="{at + 4:.1f}">{number:,}</text>')
    drawn += [
        f'<text class="small middle" x="{x(hour * 60):.1f}" y="{top + PLOT + 18}">{hour}:00</text>'
        for hour in range(9, 18)
    ]
    at = y(aim, top)
    drawn += [
        line("tenth", before, top),
        line("now", refreshes, top),
        f'<path class="aim" d="M{x(10.5 * 60):.1f} {at:.1f}H{WIDTH - RIGHT}"/>',
    ]
    if max(refreshes.values()) > HIGHEST:
        minute, highest = max(refreshes.items(), key=lambda item: item[1])
        drawn.append(
            f'<text class="small" x="{x(minute) + 8:.1f}" y="{top + 12}">{highest:,} at'
            f" {minute // 60}:{minute % 60:02}</text>"
        )
    return drawn


def draw(days: Sequence[Panel]) -> str:
    """Return the drawing of the days, one below the other."""
    high = TOP + PANEL * len(days)
    legend = (
        ("now", 62, "refreshes a minute"),
        ("tenth", 232, "with a jitter of a tenth of the token's life alone"),
        ("aim", 590, "1.5 times the mean, from 10:30 on"),
    )
    drawn = [
        f'<path class="{kind}" d="M{at} 22h26"/><text class="small" x="{at + 32}" y="26">{words}</text>'
        for kind, at, words in legend
    ]
    for number, day in enumerate(days):
        drawn += panel(TOP + PANEL * number, day)
    body = "\n".join(f"  {part}" for part in drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high}" width="{WIDTH}" height="{high}"'
        ' role="img" aria-labelledby="title description">\n'
        f'  <title id="title">{TITLE}</title>\n  <desc id="description">{DESCRIPTION}</desc>\n'
        f"  <style>\n{STYLE}  </style>\n"
        f'  <rect class="page" width="{WIDTH}" height="{high}" rx="6"/>\n{body}\n</svg>\n'
    )
