"""The twelve actions that driving advice is taken apart into, and the words for them, English and Chinese."""

from __future__ import annotations

from types import MappingProxyType

ACTIONS = MappingProxyType(
    {
        "stop": "brake to a standstill, or stay standing",
        "slow_down": "reduce speed",
        "keep_distance": "keep a safe gap to the vehicle or object in front or beside",
        "yield": "give way to other road users",
        "keep_lane": "stay in the present lane",
        "change_lane_left": "move to the lane on the left, or pass on the left",
        "change_lane_right": "move to the lane on the right, or pass on the right",
        "avoid": "go round an obstacle or change lanes, the side left open",
        "proceed": "go on at the present speed, or speed up",
        "obey_light": "act as the traffic light says",
        "obey_sign": "act as the traffic signs say",
        "watch": "watch a road user or object, be ready to react",
    }
)
"""Name -> gloss. The set and its names are ours."""

CONTRADICTIONS = MappingProxyType(
    {
        "stop": frozenset({"proceed"}),
        "slow_down": frozenset({"proceed"}),
        "yield": frozenset({"proceed"}),
        "keep_lane": frozenset({"change_lane_left", "change_lane_right"}),
        "proceed": frozenset({"stop"}),
    }
)
"""Action -> actions that cannot be done together with it. `proceed` is meant without reserve: "proceed with caution" is `slow_down`."""

SYNONYMS = MappingProxyType(
    {
        "stop": (
            r"(?:come|comes|coming|bring \w+(?: \w+)?) to a (?:complete |full |safe |gentle |smooth )?(?:stop|halt|standstill)|brak\w+ to a (?:stop|halt|standstill)|halt|standstill|"
            r"(?:remain|stay|keep) (?:stopped|stationary)|pull over|stop(?! signs?| lines?| lights?)|stopping(?! distance)|emergency brak\w+|wait(?:ing)?(?: (?:behind|for|until|before|at)|$)",
            r"停车|停下|停止|刹停|停住|停在|靠边|等待|等候|等红灯",
        ),
        "slow_down": (
            r"slow(?:s|ing|er|ly)?(?: down)?|(?:reduc|lower|decreas|moderat)\w+ (?:\w+ ){0,3}speed|decelerat\w+|(?:low|lower|reduced|slower|cautious|moderate) speed|brak(?:e|ing)|"
            r"drop (?:\w+ )?speed|(?:proceed|continue|drive|advance|move)\w* (?:\w+ ){0,2}(?:cautiously|with (?:\w+ )?(?:caution|care)|slowly)|ease off",
            r"减速|降低车速|降低速度|放慢|慢行|缓行|刹车|制动|低速|减慢|谨慎通过|缓慢|小心通过|减缓",
        ),
        "keep_distance": (
            r"(?:keep|maintain|leav|allow|giv|ensur|increas|preserv|hold)\w* (?:[\w,]+ ){0,4}(?:distances?|gaps?|space|room|clearance|berth|buffer)|(?:safe|following|sufficient) distance|"
            r"stay (?:well )?(?:back|behind|clear)|stop well behind|keep (?:well )?(?:clear|back|away)|do not tailgate",
            r"保持(?:\w{0,8})(?:距离|车距|间距)|安全距离|安全车距|跟车距离|拉开距离|留出\w{0,4}空间|远离",
        ),
        "yield": (
            r"yield(?:s|ing)?(?! signs?)|giv\w+ (?:\w+ )?way|(?:give|giving) (?:\w+ )?(?:priority|right of way|the right of way)|"
            r"let (?:the |it |them |him |her )?(?:\w+ ){0,3}(?:pass|cross|go|merge)|giv\w+ (?:\w+ ){1,4}(?:the )?right of way|"
            r"wait for (?:the |all )?(?:\w+ ){0,3}to (?:cross|pass|clear)",
            r"让行|礼让|避让|让路|让其|先行|优先通过|让出",
        ),
        "keep_lane": (
            r"(?:keep|stay|remain|continu)\w* (?:\w+ ){0,3}(?:lanes?)|(?:keep|maintain)\w* (?:\w+ ){0,2}lane(?: position)?|keep straight|lane discipline|hold (?:\w+ )?lane|stay centered",
            r"保持(?:在)?(?:当前|本|原|自己的)?车道|保持车道|不要变道|沿(?:当前|本)?车道|留在(?:当前|本)?车道|车道内行驶",
        ),
        "change_lane_left": (
            r"(?:chang|mov|shift|merg|switch|steer|pass|overtak|veer|swerv|keep|go|pull|bear|driv)\w* (?:\w+ ){0,5}left(?! clear)|left lane change",
            r"向左变道|左侧变道|向左变更车道|变更至左|变道至左|从左侧(?:超|绕|通过)|靠左|向左(?:避让|绕行|并线|偏)|左变道|变到左",
        ),
        "change_lane_right": (
            r"(?:chang|mov|shift|merg|switch|steer|pass|overtak|veer|swerv|keep|go|pull|bear|driv)\w* (?:\w+ ){0,5}right(?! of way| away| clear)|right lane change",
            r"向右变道|右侧变道|向右变更车道|变更至右|变道至右|从右侧(?:超|绕|通过)|靠右|向右(?:避让|绕行|并线|偏)|右变道|变到右",
        ),
        "avoid": (
            r"(?:go|steer|navigat|driv|maneuver|manoeuvr|mov|pass|get)\w* (?:\w+ ){0,2}(?:around|round)|chang\w+ (?:\w+ ){0,2}lanes?|lane changes?|overtak\w+|bypass|detour|"
            r"swerv\w+|merg(?:e|ing)|adjust\w* (?:\w+ ){0,3}(?:path|trajectory|course|route)|go past|reroute|another route|alternative route",
            r"绕行|绕过|变道|避开|超车|绕开|变更车道|改道|换道",
        ),
        "proceed": (
            r"proceed\w*|continu\w+ (?:driving|straight|forward|ahead|on|at|to (?:drive|travel|proceed|move))|accelerat\w+|speed up|drive on|go ahead|keep (?:going|driving|moving)|"
            r"(?:maintain|keep|hold)\w* (?:\w+ ){0,3}speed|carry on|pass through|move on|go through|increase (?:\w+ )?speed",
            r"继续行驶|继续前进|继续直行|加速|正常行驶|保持车速|保持当前车速|保持速度|匀速|直接通过|正常通过|继续前行",
        ),
        "obey_light": (
            r"(?:obey|follow|observ|heed|comply|respect|adher|respond|react|according|act)\w* (?:[\w,]+ ){0,6}(?:traffic )?(?:lights?|signals?)|"
            r"(?:red|green|yellow) (?:traffic )?(?:light|signal)|(?:light|signal) (?:turns|is|changes|to turn|to change)|for (?:the )?green",
            r"(?:遵守|服从|按照|根据|遵循|听从|注意)\w{0,6}(?:信号灯|红绿灯|交通灯|交通信号|信号)|等红灯|红灯|绿灯",
        ),
        "obey_sign": (
            r"(?:obey|follow|observ|heed|comply|respect|adher|according|act)\w* (?:[\w,]+ ){0,7}(?:signs?|signage|speed limits?|signposts?)|speed limit|as (?:the |indicated by )?(?:\w+ )?signs?",
            r"(?:遵守|服从|按照|根据|遵循|注意)\w{0,8}(?:标志|标识|指示牌|限速|路牌|警示牌)|限速",
        ),
        "watch": (
            r"watch(?:ing)?|monitor\w*|look out|lookout|(?:be|stay|remain|keep) (?:[\w,]+ ){0,3}(?:alert|aware|vigilant|attentive|ready|prepared|mindful|cautious)|keep (?:an )?eyes?|"
            r"pay(?:ing)? (?:\w+ )?attention|observ(?:e|ing)|anticipat\w+|prepar\w+ to|careful of|beware|be careful",
            r"注意|观察|留意|警惕|关注|小心|当心|密切|警觉|做好\w{0,4}准备|随时准备",
        ),
    }
)
"""Action -> patterns of its words in normalised text, English and Chinese."""
