"""What is said of an object besides its name: side, colour, state. English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence

from embodied.driving.grounded.text import Phrases, key


def _table(rows: dict[str, str], comma: str = ", ") -> dict[tuple[str, ...], str]:
    return {key(phrase): name for name, phrases in rows.items() for phrase in phrases.split(comma)}


_SIDE = {
    "left": "left, 左",
    "right": "right, 右",
    "both": "both sides, either side, each side, 两侧, 两边, 两旁, 左右",
    "ahead": "ahead, in front, front, center, centre, middle, directly, straight ahead, same lane, ego lane, own lane, our lane, current lane, in the lane, "
    "前方, 前面, 正前, 中间, 中央, 同车道, 本车道, 同一车道, 当前车道",
    "": "right of way, right away, right now, right turn, left turn, turn left, turn right, turning left, turning right, turns left, turns right, keep left, keep right, "
    "front wheel, 左转, 右转, 前车, 前行, 前进",
}
_COLOUR = {
    "red": "red, 红, 红色",
    "orange": "orange, 橙, 橙色, 橘色, 橘红色, 橘黄色",
    "yellow": "yellow, amber, golden, gold, 黄, 黄色",
    "green": "green, 绿, 绿色",
    "blue": "blue, 蓝, 蓝色",
    "white": "white, 白, 白色",
    "black": "black, 黑, 黑色",
    "grey": "grey, gray, silver, 灰, 灰色, 银, 银色, 银灰色",
    "brown": "brown, tan, beige, 棕, 棕色, 褐色, 咖啡色, 米色",
    "pink": "pink, 粉, 粉色, 粉红色",
    "purple": "purple, violet, 紫, 紫色",
    "": "红绿灯",
}
_STATE = {
    "moving": "moving, driving, traveling, travelling, riding, in motion, cycling, running, drives, rides, moves, 行驶, 行进, 移动, 骑行, 奔跑",
    "still": "parked, stopped, stationary, halted, waiting, standing, stands, motionless, idle, not moving, not moving at all, sitting, 停放, 停靠, 停在, 停着, 静止, 等待, 停止, 站, 停止不动",
    "crossing": "crossing, crosses, 横穿, 穿过, 过马路, 穿越, 横过",
    "walking": "walking, walks, 行走, 步行, 走",
    "overturned": "overturned, on its side, flipped, tipped over, toppled, rolled over, upside down, capsized, 翻倒, 侧翻, 倾覆, 翻车",
    "oncoming": "oncoming, facing, approaching, wrong way, against traffic, against the traffic, opposite direction, opposite lane, opposite, towards, toward, coming, "
    "对向, 逆行, 迎面, 驶来",
    "braking": "braking, brakes, brake lights, brake light, slowing, slows, 刹车, 减速, 制动",
    "broken": "broken down, broken, disabled, stalled, hazard lights, breakdown, out of order, not working, dark, unlit, failed, faulty, flashing, off, 抛锚, 故障, 损坏, 双闪",
    "lying": "lying, lies, fallen, scattered, strewn, dropped, spilled, laying, 倒, 散落, 掉落, 躺, 遗落, 倒下",
    "turning": "turning, turns, turning left, turning right, 转弯, 左转, 右转, 掉头",
    "merging": "merging, cutting in, cuts in, changing lanes, merges, 变道, 并线, 切入",
    "loaded": "loaded, carrying, carries, transporting, oversize, oversized, overloaded, wide load, long load, towing, 装载, 运载, 拉着, 超载, 载着",
    "working": "working, digging, directing, 施工, 作业, 工作, 指挥",
    "same_direction": "same direction, 同向",
    "open": "open, opened, opening, 打开",
    "closed": "closed, closing, blocking, blocks, 封闭, 阻挡, 挡住",
    "flooded": "flooded, under water, 积水, 淹",
}
SIDES: Phrases[str] = Phrases(_table(_SIDE))
COLOURS: Phrases[str] = Phrases(_table(_COLOUR))
STATES: Phrases[str] = Phrases(_table(_STATE))


def side_of(words: Sequence[str]) -> str:
    """left, right, both or ahead; empty when none is said. Left and right go before ahead (`ahead on the left`), the first of them counts."""
    said = [name for _, _, name in SIDES.all(words) if name]
    return next((s for s in said if s != "ahead"), said[0] if said else "")


def colours_of(words: Sequence[str]) -> tuple[str, ...]:
    """Basic colours named, in order of mention, without repeats."""
    return tuple(dict.fromkeys(name for _, _, name in COLOURS.all(words) if name))


def states_of(words: Sequence[str]) -> tuple[str, ...]:
    """States named, in order of mention, without repeats."""
    return tuple(dict.fromkeys(name for _, _, name in STATES.all(words)))
