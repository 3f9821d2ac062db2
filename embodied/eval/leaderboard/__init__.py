"""Runs side by side: boards by suite, rank ranges, a static site, and the same as JSON, CSV and Markdown."""
