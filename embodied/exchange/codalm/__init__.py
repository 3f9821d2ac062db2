"""CODA-LM's challenge: answers, submissions, the judge and its tables."""
