"""Models behind one interface: open_clip loading and saving, embeddings, scoring of suites."""

from eqlib.errors import needs

needs("eqlib.models", "torch", "torch", "open_clip")
