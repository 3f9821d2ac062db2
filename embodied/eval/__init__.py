"""Suites, and the scores of runs."""
