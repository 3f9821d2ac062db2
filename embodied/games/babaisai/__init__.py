"""Baba Is AI: a rule engine, 40 tasks, text, pictures and a search expert."""
