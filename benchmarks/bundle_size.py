"""How much a browser downloads for the JupyterLab extension: the built files, gzipped.

They don't include what JupyterLab shares (React, Lumino, its own packages). The server itself does not
compress them; a proxy in front of it does.

    python benchmarks/bundle_size.py
"""

from __future__ import annotations

import gzip
from pathlib import Path

STATIC = Path(__file__).resolve().parents[1] / "labextension" / "dist" / "static"
KIB = 1024


def main() -> None:
    """Measure and report."""
    zipped, plain = 0, 0
    for path in sorted(STATIC.glob("*.js")):
        content = path.read_bytes()
        small = len(gzip.compress(content, 9, mtime=0))
        print(f"  {path.name:<40} {small / KIB:6.1f} KiB  (plain {len(content) / KIB:.1f})")
        zipped += small
        plain += len(content)
    print(
        f"bundle, gzip: {zipped / KIB:.1f} KiB (plain {plain / KIB:.1f})   target: 50 KiB at most"
    )


if __name__ == "__main__":
    main()
