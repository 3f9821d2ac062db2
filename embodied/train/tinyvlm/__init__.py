"""tinyvlm: a vision-language agent small enough to be trained from nothing in minutes on one CPU core.

A LLaVA of transformers' own parts (a CLIP tower, a projector, a Llama) with a vocabulary of words. It is played through
the provider `transformers`, like any model folder. `embodied train tinyvlm` makes one.
"""
