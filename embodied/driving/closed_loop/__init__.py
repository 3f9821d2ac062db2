"""Corner cases driven through: the scenes of `driving.scene` in motion, a car that obeys six
words, and NAVSIM's score.
"""
