"""The closed loop: the scenes of `driving.scene` in motion, a car that obeys six words, and NAVSIM's score."""
