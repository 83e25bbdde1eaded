"""How the documentation's site is built: `make docs`. Nothing is fetched from the internet."""

import sys
from pathlib import Path

from jupyter_wb_aws import __version__

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "jupyter_wb_aws"
version = release = __version__
extensions = ["myst_parser", "reference"]
exclude_patterns = ["_build"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "pydata_sphinx_theme"
html_title = "jupyter_wb_aws"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
# Pages without others below them
html_sidebars = {page: [] for page in ("ides", "commands", "python")}
html_theme_options = {
    "logo": {"text": "jupyter_wb_aws"},
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_prev_next": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
}
