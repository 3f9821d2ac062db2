"""The nouns of the street, English and Chinese, and what they name: the only place where `grounded-v1` knows words for objects.

Written by hand from the category names and from how people and models describe them; it is not fitted to any judge. A noun may fit several
categories (a scooter is a moped or a motorcycle): any of them is right. Nouns of a whole group (`vehicle`) name no category. Nouns of things outside the
seven groups (`building`) are known so that an answer with one is wrong rather than unrecognised, and so that longer words hide shorter ones
(`bus stop`, 人行道).
"""

from __future__ import annotations

from dataclasses import dataclass

from embodied.driving.categories import CATEGORIES
from embodied.driving.grounded.text import Phrases, han, key


@dataclass(frozen=True)
class Noun:
    """What a word or phrase names."""

    categories: tuple[str, ...]
    """Categories it fits, the usual one first; empty for a noun of a whole group or of none."""
    groups: tuple[str, ...]
    """Their groups; empty for a thing outside the seven."""
    plural: bool = False


_EN = {
    "car": "car, sedan, suv, taxi, van, minivan, hatchback, jeep, coupe, automobile, police car, sports car, passenger car, minicar, convertible",
    "truck": "truck, lorry, semi truck, semi, box truck, tanker, tanker truck, freight truck, delivery truck, tow truck, fire truck, garbage truck, flatbed, "
    "flatbed truck, cargo truck, heavy truck, logging truck, tractor trailer, sanitation truck",
    "tram": "tram, streetcar, trolley car, train, light rail vehicle",
    "tricycle": "tricycle, rickshaw, auto rickshaw, three wheeler, three wheeled vehicle, tuk tuk, cargo tricycle, electric tricycle, three wheeled motorcycle, trike",
    "bus": "bus, coach, minibus, school bus, trolleybus, double decker, shuttle",
    "trailer": "trailer",
    "construction_vehicle": "construction vehicle, construction truck, excavator, bulldozer, forklift, road roller, steamroller, backhoe, wheel loader, loader, digger, "
    "engineering vehicle, snow plow, snowplow, tractor, road sweeper, work vehicle, road work vehicle, maintenance vehicle",
    "construction_vehicle, truck": "crane truck, truck crane, truck mounted crane, cement truck, concrete truck, cement mixer, concrete mixer, cement mixer truck, "
    "concrete mixer truck, dump truck, tipper, tipper truck, mixer truck",
    "construction_vehicle, machinery": "crane, construction crane, construction machine, construction machinery, construction equipment, heavy machinery, "
    "construction device, heavy equipment",
    "recreational_vehicle": "recreational vehicle, rv, camper, camper van, motorhome, motor home, caravan",
    "car, truck": "pickup, pickup truck, ambulance",
    "pedestrian": "pedestrian, person, man, woman, child, kid, boy, girl, worker, construction worker, road worker, police officer, officer, policeman, passerby, walker, "
    "jogger, individual, human, traffic controller, flagger, sanitation worker, skateboarder",
    "cyclist": "cyclist, bicyclist, person riding a bicycle, person riding a bike, person on a bicycle, person on a bike, man riding a bicycle, man riding a bike, "
    "woman riding a bicycle, woman riding a bike, person cycling, bicycle rider, bike rider",
    "cyclist, motorcycle, moped": "motorcyclist, rider, biker, person riding a motorcycle, man riding a motorcycle, woman riding a motorcycle, person on a motorcycle, "
    "person riding a scooter, person on a scooter, person riding a moped, person on a moped, person riding a motorbike, scooter rider, moped rider, motorcycle rider, "
    "man riding a scooter, woman riding a scooter, person riding an electric scooter, person riding an electric bike, delivery rider",
    "bicycle": "bicycle, bike, push bike, mountain bike, cargo bike, shared bike",
    "moped": "moped, motor scooter, electric bike, electric bicycle, e bike, ebike",
    "moped, motorcycle": "scooter, electric scooter, e scooter, electric motorcycle",
    "motorcycle": "motorcycle, motorbike, motor bike, dirt bike, motor cycle",
    "stroller": "stroller, pram, baby carriage, pushchair, buggy, baby stroller",
    "wheelchair": "wheelchair, wheel chair",
    "cart": "cart, handcart, hand cart, pushcart, push cart, trolley, hand truck, shopping cart, wheelbarrow, wagon",
    "warning_sign": "warning sign, caution sign, construction sign, road work sign, roadwork sign, road construction sign, hazard sign, danger sign, warning triangle, "
    "road works sign, triangular sign, triangular warning sign, warning board",
    "traffic_sign": "traffic sign, road sign, street sign, stop sign, speed limit sign, no entry sign, no parking sign, yield sign, direction sign, directional sign, "
    "parking sign, one way sign, highway sign, regulatory sign, guide sign, exit sign, arrow sign, speed sign, do not enter sign, prohibition sign, information sign, "
    "give way sign, no passing sign",
    "traffic_sign, warning_sign": "sign, signage, signboard, sign board, sign post, signpost",
    "traffic_light": "traffic light, traffic signal, stoplight, stop light, signal light, traffic signal light, red light, green light, yellow light, amber light, "
    "traffic lamp, pedestrian light, pedestrian signal, pedestrian crossing signal",
    "traffic_cone": "traffic cone, cone, safety cone, road cone, pylon, construction cone, warning cone, traffic pylon, conical marker",
    "barrier": "barrier, barricade, fence, guardrail, guard rail, railing, crash barrier, traffic barrier, construction barrier, concrete barrier, jersey barrier, wall, "
    "road barrier, plastic barrier, water filled barrier, water barrier, metal barrier, metal fence, hoarding, roadblock, road block, fencing, safety barrier, "
    "concrete wall, gate, barrier gate, boom gate, pedestrian crossing gate, construction fence, traffic barricade, divider, road divider, lane divider",
    "bollard": "bollard, post, pole, delineator, delineator post, traffic post, traffic bollard, warning post, reflective post, flexible post, traffic pole, warning pole, "
    "safety post, traffic delineator, channelizer, marker post",
    "dog": "dog, puppy",
    "cat": "cat, kitten",
    "dog, cat, misc": "animal",
    "sentry_box": "sentry box, guard booth, guard house, security booth, kiosk, toll booth, booth, guard box, security box, guard post, police booth",
    "traffic_box": "traffic box, utility box, electrical box, control box, electric box, traffic control box, signal box, junction box, utility cabinet, "
    "electrical cabinet, control cabinet, traffic signal cabinet, cabinet",
    "traffic_island": "traffic island, refuge island, pedestrian island, median strip, median, island, safety island",
    "debris": "debris, rubble, wreckage, branch, tree branch, fallen branch, fallen tree, log, plank, scrap, road debris, metal beam, beam, gravel, dirt, metal structure, sand",
    "suitcase": "suitcase, suitcace, luggage, baggage",
    "dustbin": "dustbin, trash can, garbage can, trash bin, garbage bin, rubbish bin, litter bin, waste bin, bin, wheelie bin, dumpster, recycling bin, trash container, "
    "waste container",
    "concrete_block": "concrete block, cement block, concrete pier, cinder block, stone block, concrete cube",
    "machinery": "machinery, machine, generator, compressor, air compressor",
    "chair": "chair, stool, bench, armchair",
    "phone_booth": "phone booth, telephone booth, telephone box, phone box",
    "basket": "basket, crate",
    "cardboard": "cardboard, cardboard sheet, piece of cardboard",
    "carton": "carton",
    "carton, cardboard": "box, cardboard box, paper box, package, parcel",
    "garbage": "garbage, trash, rubbish, litter, waste",
    "garbage_bag": "garbage bag, trash bag, bin bag, rubbish bag, bag of garbage, bag of trash, refuse bag",
    "plastic_bag": "plastic bag, shopping bag",
    "plastic_bag, garbage_bag": "bag, sack",
    "stone": "stone, rock, boulder, stones, brick",
    "tire": "tire, tyre, wheel, spare tire, spare tyre",
    "misc": "misc, bird, fire hydrant, hydrant, parking meter, mailbox, umbrella, ladder, sofa, couch, table, mattress, flag, banner, pipe, metal pipe, container, "
    "shipping container, barrel, drum, bucket, street light, streetlight, lamp post, lamppost, street lamp, utility pole, light pole, telephone pole, lamp pole, flower pot, "
    "planter, tent, statue, cow, horse, sheep, goat, deer, sheet of plastic, tarp, tarpaulin, hose, cable, speed bump, camera, mirror, balloon, kite, ball, fan, refrigerator, fridge, tv screen, screen, cooler, lumber, construction material",
}
"""Categories, the usual one first -> singular nouns."""

_EN_GROUPS = {
    "vehicle": "vehicle, military tank, motor vehicle, emergency vehicle, police vehicle, large vehicle, commercial vehicle, delivery vehicle",
    "vru": "vulnerable road user, two wheeler, two wheeled vehicle",
}
_EN_OUTSIDE = (
    "building, tree, road, street, bridge, house, shop, store, billboard, bus stop, bus lane, bus station, bike lane, bicycle lane, bicycle path, crosswalk, "
    "pedestrian crossing, zebra crossing, lane, sky, sidewalk, pavement, parking lot, tunnel, grass, bush, overpass, car park, ego car driving, car door, truck driver, "
    "bus driver, car driver, road surface, intersection, curb, kerb, manhole, manhole cover, pothole, puddle, shadow, road marking, lane marking, arrow, window, door, "
    "red rectangle, red box, red bounding box, bounding box, stop line, traffic flow, traffic jam, traffic rule, brake light, tail light, taillight, headlight, "
    "hazard light, turn signal, warning light, road user, ego car, ego vehicle, ego lane, autonomous vehicle, autonomous car, self driving car, own car, own vehicle, plant, "
    "license plate, boat, front wheel, rear wheel, steering wheel, pedestrian area, pedestrian zone, pedestrian bridge, vehicle lane, driver, passenger"
)
_IRREGULAR = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "person": "people",
    "policeman": "policemen",
    "bus": "buses",
    "minibus": "minibuses",
    "sheep": "sheep",
}
_NO_PLURAL = frozenset("debris rubble luggage baggage garbage trash rubbish litter waste cardboard machinery equipment signage fencing misc stones".split())
_ALWAYS_PLURAL = frozenset({"stones"})

_ZH = {
    "car": "汽车 轿车 小汽车 小轿车 私家车 出租车 面包车 越野车 小车 商务车 警车 小客车 suv",
    "truck": "卡车 货车 大货车 小货车 箱式货车 厢式货车 半挂车 罐车 大卡车 渣土车 垃圾车 消防车 油罐车 重型卡车",
    "tram": "有轨电车 电车 列车",
    "tricycle": "三轮车 电动三轮车 三轮摩托车 三轮摩托",
    "bus": "公交车 公共汽车 巴士 大巴 大巴车 客车 校车 公交 中巴 中巴车",
    "trailer": "拖车 挂车",
    "construction_vehicle": "工程车 工程车辆 挖掘机 吊车 起重机 推土机 压路机 铲车 叉车 施工车辆 施工车 装载机",
    "construction_vehicle, truck": "搅拌车 水泥车 混凝土搅拌车 水泥搅拌车 自卸车 洒水车",
    "recreational_vehicle": "房车 旅居车",
    "car, truck": "皮卡 皮卡车 救护车",
    "pedestrian": "行人 路人 人 工人 男子 女子 男人 女人 孩子 小孩 儿童 老人 交警 警察 环卫工人 环卫工 施工人员 工作人员 人员 行走的人 人群",
    "cyclist": "骑行者 骑车人 骑自行车的人 骑车的人 骑自行车者 自行车骑行者 骑单车的人 骑手",
    "cyclist, motorcycle, moped": "骑摩托车的人 摩托车手 摩托车骑手 骑电动车的人 骑电瓶车的人 电动车骑行者 摩托车骑行者 骑摩托车者 骑电动车者",
    "bicycle": "自行车 单车 脚踏车 共享单车",
    "moped": "电动车 电瓶车 电动自行车 助力车 轻便摩托车 电单车",
    "motorcycle": "摩托车 摩托 机车",
    "stroller": "婴儿车 童车 婴儿推车",
    "wheelchair": "轮椅",
    "cart": "手推车 推车 板车 购物车",
    "warning_sign": "警告标志 警示牌 施工标志 警示标志 警告牌 施工标志牌 警示标志牌 施工牌 三角警示牌 警告标志牌",
    "traffic_sign": "交通标志 标志牌 交通标志牌 路牌 指示牌 限速牌 交通标识 限速标志 指示标志 禁令标志 停车标志 方向标志 标识牌 指路牌 禁止标志 道路标志 交通指示牌 路标",
    "traffic_light": "交通灯 红绿灯 信号灯 交通信号灯 红灯 绿灯 黄灯 交通信号",
    "traffic_cone": "锥桶 交通锥 锥形桶 路锥 雪糕筒 锥筒 交通锥桶 锥形路标 交通圆锥 雪糕桶 反光锥 锥形交通路标 锥",
    "barrier": "护栏 围栏 栏杆 隔离栏 路障 水马 围挡 栅栏 隔离带 隔离护栏 施工围挡 防撞桶 屏障 隔离墩 挡板 障碍栏 防护栏 墙 交通护栏 障碍护栏",
    "bollard": "隔离柱 立柱 防撞柱 柱子 警示柱 柱 桩 路桩 反光柱 柱状物 警示桩 矮柱 道桩",
    "dog": "狗 犬 小狗",
    "cat": "猫 小猫",
    "dog, cat, misc": "动物",
    "sentry_box": "岗亭 保安亭 警务亭 收费亭 值班亭",
    "traffic_box": "交通箱 配电箱 电箱 信号控制箱 控制箱 信号箱 交通控制箱 变电箱",
    "traffic_island": "安全岛 交通岛 导流岛",
    "debris": "碎片 杂物 残骸 碎石 树枝 散落物 瓦砾 遗撒物",
    "suitcase": "行李箱 手提箱 行李 旅行箱",
    "dustbin": "垃圾桶 垃圾箱 果皮箱",
    "concrete_block": "水泥块 混凝土块 石墩 水泥墩 混凝土墩",
    "machinery": "机械 机器 机械设备 施工机械 发电机",
    "chair": "椅子 凳子 长椅",
    "phone_booth": "电话亭",
    "basket": "篮子 筐 箩筐",
    "cardboard": "纸板 硬纸板",
    "carton": "纸箱 纸盒 箱子 纸箱子",
    "garbage": "垃圾 废弃物",
    "garbage_bag": "垃圾袋",
    "plastic_bag": "塑料袋 袋子",
    "stone": "石头 石块 岩石 砖块",
    "tire": "轮胎 车轮",
    "misc": "消防栓 鸟 路灯 旗子 帐篷 梯子 管道 集装箱 桶 花盆 电线杆 灯杆 气球 床垫 牛 羊 马 横幅",
}
_ZH_GROUPS = {"vehicle": "车辆 机动车 车子 大型车辆 车", "vru": "弱势道路使用者 非机动车 两轮车", "traffic_sign": "标志 标识"}
_ZH_OUTSIDE = (
    "人行道 人行横道 斑马线 行车道 停车场 停车位 停车线 停车 车道 车道线 车流 车速 行车 倒车 机动车道 非机动车道 自行车道 公交站 公交车站 本车 自车 主车 车距 来车 司机 驾驶人 "
    "驾驶员 建筑物 建筑 树木 树 道路 路面 马路 桥 房屋 刹车灯 车灯 车门 车窗 红框 红色框 红色矩形框 矩形框 边界框 别人 他人 人们 自我车辆 自动驾驶汽车 自动驾驶车辆 自动驾驶 马上 刹车 "
    "洗车 上车 下车 跟车 会车 让车 超车 本车道 同车道 前车 后车 车头 车尾 车身 车牌 交通标线 标线 无人 行人道 行人区 行人过街 自主车辆 我车 我方车辆 立马"
)


def _plural(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """The plural of an English phrase: of its last word, or of the word it begins with where a phrase goes on (`person riding a bike`)."""
    at = 0 if words[0] in _IRREGULAR and len(words) > 2 else len(words) - 1
    if "of" in words:
        at = words.index("of") - 1
    word = words[at]
    if word in _NO_PLURAL:
        return None
    if word in _IRREGULAR:
        many = _IRREGULAR[word]
    elif word.endswith(("s", "x", "ch", "sh")):
        many = word + "es"
    elif word.endswith("y") and word[-2] not in "aeiou":
        many = word[:-1] + "ies"
    else:
        many = word + "s"
    return (*words[:at], many, *words[at + 1 :])


def _build() -> dict[tuple[str, ...], Noun]:
    nouns: dict[tuple[str, ...], Noun] = {}

    def add(phrase: str, noun: Noun) -> None:
        words = key(phrase)
        nouns[words] = Noun(noun.categories, noun.groups, plural=phrase in _ALWAYS_PLURAL)
        many = None if han(words[0]) else _plural(words)
        if many is not None:
            nouns[many] = Noun(noun.categories, noun.groups, plural=True)

    for phrase in _EN_OUTSIDE.split(", "):
        add(phrase, Noun((), ()))
    for phrase in _ZH_OUTSIDE.split():
        add(phrase, Noun((), ()))
    for table, comma in ((_EN_GROUPS, ", "), (_ZH_GROUPS, " ")):
        for group, phrases in table.items():
            for phrase in phrases.split(comma):
                add(phrase, Noun((), (group,)))
    for table, comma in ((_EN, ", "), (_ZH, " ")):
        for names, phrases in table.items():
            categories = tuple(names.split(", "))
            groups = tuple(dict.fromkeys(CATEGORIES[c] for c in categories))
            for phrase in phrases.split(comma):
                add(phrase, Noun(categories, groups))
    return nouns


NOUNS: Phrases[Noun] = Phrases(_build())
