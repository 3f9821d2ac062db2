"""CODA-LM: corner cases on the road, asked about in words. The user's data in and out, the questions, the submission,
the judge, the environment.
"""
