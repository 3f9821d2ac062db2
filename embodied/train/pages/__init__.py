"""Improvements on pages: the report of one, and a board of several."""
