"""Reading a reply: from what a model wrote to the action it chose, in five stages.

    stage     what it does                                                                  module
    thoughts  separates what was thought from what was said                                 embodied.models.thoughts
    turn      ends the reply where the world, a user or another turn begins to speak        turns
    mark      finds the answer: behind the mark asked for, in a container, behind a label   marks
    dress     takes off quotes, fences, bullets, tags, labels, calls around it              dress
    phrase    a phrase (choice), one command (commands), or prose as it is (prose)          reader

One rule stands above all stages: an action that the model did not state as its choice is never executed. What can be
read in two ways is read in none. Letters that look alike are alike (letters); a reply that begins with a marker that
none of these knows is reported and not read (markers). Time is linear in the length of the reply.

The reader has a version, `VERSION`, which is recorded with every run (`agent.parse.reader`), because it moves scores.
"""

VERSION = "v2"
