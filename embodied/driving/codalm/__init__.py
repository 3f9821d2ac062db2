"""CODA-LM: questions about corner cases on the road. Reading and writing the user's data, the questions, the
submission, the judge, the environment.
"""
