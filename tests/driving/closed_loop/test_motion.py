"""What moves in the closed loop: the bicycle against arcs, the Intelligent Driver Model against its equilibrium,
scripts, rectangles.
"""

import math

import numpy as np
import pytest

from embodied.driving.closed_loop.actors import EXPONENT, HEADWAY, STANDSTILL, Mover, idm
from embodied.driving.closed_loop.bicycle import TICK, WHEELBASE, Pilot, State, advance
from embodied.driving.closed_loop.boxes import meet
from embodied.driving.closed_loop.world import World, route
from embodied.driving.scene.road import lane_centre
from embodied.driving.scene.spec import Actor, Ego, Road, SceneSpec


@pytest.mark.parametrize(("steering", "acceleration"), [(0.1, 0.0), (-0.3, 0.0), (0.2, 1.5)])
def test_a_constant_angle_drives_an_arc_of_the_analytic_circle(steering, acceleration):
    state, slip = State(1.0, 2.0, 0.4, 5.0), math.atan(math.tan(steering) / 2)
    radius = WHEELBASE / (math.cos(slip) * math.tan(steering))
    centre = (state.x - radius * math.cos(state.heading + slip), state.y - radius * math.sin(state.heading + slip))
    for k in range(1, 60):
        state = advance(state, acceleration, steering)
        distance = 5.0 * k * TICK + acceleration * (k * TICK) ** 2 / 2
        assert math.hypot(state.x - centre[0], state.y - centre[1]) == pytest.approx(abs(radius), abs=1e-6)
        assert state.heading == pytest.approx(0.4 + distance / radius, abs=1e-6)


def test_straight_on_and_to_a_standstill():
    state = advance(State(0.0, 0.0, 0.0, 10.0), 0.0, 0.0, 2.0)
    assert (state.x, state.y, state.speed) == (0.0, 20.0, 10.0)
    state = advance(State(0.0, 0.0, 0.0, 3.0), -2.0, 0.0, 10.0)
    assert (state.y, state.speed) == (pytest.approx(9 / 4), 0.0), "it stands, and does not drive backwards"


def test_the_pilot_changes_lanes_and_stops_gently():
    state, pilot = State(0.0, 0.0, 0.0, 10.0), Pilot(10.0, 0).towards(1, 3.5, State(0.0, 0.0, 0.0, 10.0))
    xs = []
    for _ in range(80):
        state, pilot = pilot.drive(state)
        xs.append(state.x)
    assert xs[-1] == pytest.approx(3.5, abs=0.05) and max(xs) < 3.7 and abs(state.heading) < 0.01
    pilot = Pilot(0.0, 1, origin=3.5, target=3.5)
    hardest = 0.0
    while state.speed:
        state, pilot = pilot.drive(state)
        hardest = min(hardest, pilot.acceleration)
    assert -3.5 <= hardest < -3.0


def test_idm_keeps_the_gap_of_its_equilibrium():
    """Treiber et al. 2000, equation 4: s_e(v) = (s0 + v T) / sqrt(1 - (v / v0)^delta)."""
    desired, leader = 15.0, 10.0
    gap, speed = 60.0, 12.0
    for _ in range(6000):
        speed += idm(speed, desired, gap, speed - leader) * TICK
        gap += (leader - speed) * TICK
    assert speed == pytest.approx(leader, abs=1e-3)
    assert gap == pytest.approx(
        (STANDSTILL + leader * HEADWAY) / math.sqrt(1 - (leader / desired) ** EXPONENT), rel=1e-3
    )
    assert idm(desired, desired, math.inf, 0.0) == pytest.approx(0.0), "its speed on a free road is the one it desires"


def scene(*actors: Actor, **more) -> SceneSpec:
    return SceneSpec("s", "t", 0, Road(lanes=2, ego_lane=1, opposite=1), Ego(10.0), actors=actors, **more)


def test_a_car_stops_behind_what_lies_in_its_lane_and_not_beside_it():
    world = World(
        route(
            scene(
                Actor(1, "car", -7.0, 40.0, 180.0, motion="idm", speed=10.0),
                Actor(2, "carton", -7.0, -10.0),
                Actor(3, "carton", -3.5, 10.0),
            )
        )
    )
    for _ in range(300):
        world.tick()
    car, carton = world.movers[0], world.movers[1]
    assert car.speed == pytest.approx(0.0, abs=0.05) and 1.0 < car.y - carton.y - 2.25 - 0.31 < 4.0


def test_a_script_waits_for_its_trigger():
    plan = route(
        scene(
            Actor(
                1, "dog", 0.0, 20.0, 90.0, motion="waypoints", path=((0.0, 1.0, 20.0), (2.0, -1.0, 20.0)), trigger=30.0
            )
        )
    )
    world, dog = World(plan), None
    while world.state.y < plan.goal:
        world.tick()
        dog = world.movers[0]
        if dog.y - world.state.y > 31:
            assert dog.x == 1.0
    assert isinstance(dog, Mover) and dog.x == -1.0 and dog.velocity == (0.0, 0.0)


def test_left_and_right_are_lanes_and_twice_left_is_two():
    plan = route(scene())
    world = World(plan)
    for action, lane in (("left", 0), ("left", -1), ("right", 0)):
        world.command(action)
        assert world.pilot.lane == lane and world.pilot.target == lane_centre(plan.spec.road, lane)


def test_rectangles_meet_when_they_share_a_point():
    a = np.array([0.0, 0.0, 1.0, 2.0, 0.0])
    others = np.array(
        [
            [1.9, 0, 1, 2, 0],
            [2.1, 0, 1, 2, 0],
            [0, 3.9, 1, 2, 0],
            [2.5, 0, 1, 2, math.pi / 2],
            [1.9, 2.9, 1.0, 1.0, math.pi / 4],
        ]
    )
    assert meet(a, others).tolist() == [True, False, True, True, False]
