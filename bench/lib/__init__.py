"""What the benchmarks share.  The tests' own library is on the path too, as
`lib`: it starts, watches and ends servers."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if str(ROOT / "tests") not in sys.path:
    sys.path.insert(1, str(ROOT / "tests"))
