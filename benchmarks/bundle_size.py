"""How much a browser fetches for the JupyterLab extension: the built files, gzipped.

What JupyterLab shares (React, Lumino, its own packages) is not in them. The server itself compresses
nothing; a proxy in front of it does.

    python benchmarks/bundle_size.py
"""

from __future__ import annotations

import gzip
from pathlib import Path

STATIC = Path(__file__).resolve().parents[1] / "labextension" / "dist" / "static"
KIB = 1024


def main() -> None:
    """Measure and tell."""
    zipped, plain = 0, 0
    for path in sorted(STATIC.glob("*.js")):
        content = path.read_bytes()
        small = len(gzip.compress(content, 9, mtime=0))
        print(f"  {path.name:<40} {small / KIB:6.1f} KiB  (plain {len(content) / KIB:.1f})")
        zipped += small
        plain += len(content)
    print(f"bundle, gzip: {zipped / KIB:.1f} KiB (plain {plain / KIB:.1f})   aim: 50 KiB at most")


if __name__ == "__main__":
    main()
