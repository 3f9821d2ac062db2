"""Driving: CODA-LM's corner cases, scored on facts as well as by a judge, and driven in closed loop."""
