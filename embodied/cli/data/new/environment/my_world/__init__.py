"""What Embodied must know of MyWorld before it makes one. Import nothing heavy here."""

from embodied.catalog import Entry

ENTRY = Entry(
    name="my_world",
    id="my_world/MyWorld-v0",
    target="my_world.env:MyWorld",
    tasks=("right", "left"),
    episodes=10,
    summary="a corridor with a door at one end",
    picture=False,
    experts=("oracle",),
)
