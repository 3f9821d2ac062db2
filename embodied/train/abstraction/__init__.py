"""Abstraction: from a recorded episode to examples that help elsewhere (ICAL, Sarch et al. 2024, section 3.1).

`rules` works over the record alone. `model` asks a language model, and refuses what contradicts the record.
"""
