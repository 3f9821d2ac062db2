"""`embodied codalm`: the tools of CODA-LM's challenge."""
