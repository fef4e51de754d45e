"""How `make docs` builds the pages: Sphinx with MyST and Furo, which ask no other host for anything."""

project = "Voicegate"
author = "the Voicegate authors"
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Voicegate"
html_copy_source = False
html_show_sphinx = False
# Commands such as `--help` stay as they are written.
smartquotes = False
