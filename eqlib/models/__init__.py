"""Models behind one interface: open_clip loading and saving, embeddings, scoring of suites."""
