"""What an agent learnt from episodes, as examples that it finds again: one record for each, vectors to find it by.

    found = open_memories("memory", embedding("hashing")).search(Query(env="babyai", goal="go to the red ball"))

Everything in a memory is text from strangers: models, people and worlds wrote it. It is bounded and checked when it is
read, made plain where it is printed, and never executed.
"""
