"""Crafter: open-world survival in a 64 x 64 world."""
