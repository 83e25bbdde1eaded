"""What the tests of the sdist and the wheel share."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")
LABEXTENSION = "share/jupyter/labextensions/jupyterlab-wb-aws"  # in an environment, installed
