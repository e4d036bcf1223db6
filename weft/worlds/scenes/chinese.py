"""Chinese captions from plans."""

from collections.abc import Sequence

from weft.worlds.scenes.captions import Count, Plan
from weft.worlds.scenes.world import Description, Draws

NUMBERS = ("零", "一", "两", "三", "四", "五", "六", "七", "八")
SHAPE_WORDS = {
    "circle": "圆形",
    "square": "正方形",
    "triangle": "三角形",
    "diamond": "菱形",
    "pentagon": "五边形",
    "star": "五角星",
    "cross": "十字形",
    "heart": "心形",
    "ring": "圆环",
    "crescent": "月牙形",
}
COLOR_WORDS = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
    "brown": "棕色",
    "black": "黑色",
    "white": "白色",
}
SIZE_WORDS = {"small": "小", "large": "大"}
TINT_WORDS = {
    "gray": "灰色",
    "sand": "沙黄色",
    "mint": "薄荷绿",
    "lilac": "淡紫色",
    "sky": "天蓝色",
    "slate": "蓝灰色",
}
PATTERN_WORDS = {"plain": "纯色", "shaded": "渐变", "striped": "条纹", "checkered": "格子"}
_PLACES = {
    "top left": ("左上角", "左上方"),
    "top": ("上方", "顶部"),
    "top right": ("右上角", "右上方"),
    "left": ("左边", "左侧"),
    "center": ("中央", "正中间"),
    "right": ("右边", "右侧"),
    "bottom left": ("左下角", "左下方"),
    "bottom": ("下方", "底部"),
    "bottom right": ("右下角", "右下方"),
}
_RELATIONS = {
    "left": ("左边", "左侧"),
    "right": ("右边", "右侧"),
    "above": ("上面", "上方"),
    "below": ("下面", "下方"),
}


def caption(plan: Plan, draws: Draws) -> str:
    """One or two sentences that state the content of the plan."""
    return {
        "listing": _listing,
        "located": _located,
        "related": _related,
        "counted": _counted,
        "setting": _setting,
    }[plan.kind](plan, draws) + "。"


def phrase(what: Description, draws: Draws) -> str:
    """Colour, size and noun: 红色的大五角星, 大的红色五角星, 红色图形."""
    color = COLOR_WORDS[what.color] if what.color else ""
    noun = SHAPE_WORDS[what.shape] if what.shape else "图形"
    if what.size is None:
        return f"{color}{draws.pick(('', '的')) if color else ''}{noun}"
    size = SIZE_WORDS[what.size]
    return draws.pick((f"{color}的{size}{noun}", f"{size}的{color}{noun}", f"{color}{size}{noun}"))


def _measure(what: Description) -> str:
    return "颗" if what.shape == "star" else "个"


def _some(count: Count, draws: Draws) -> str:
    return f"{NUMBERS[count.number]}{_measure(count.what)}{phrase(count.what, draws)}"


def _some_of(counts: Sequence[Count], draws: Draws) -> str:
    parts = [_some(count, draws) for count in counts]
    return parts[0] if len(parts) == 1 else f"{'、'.join(parts[:-1])}和{parts[-1]}"


def _backdrop(backdrop: tuple[str, str]) -> str:
    pattern, tint = backdrop
    if pattern == "plain":
        return f"{TINT_WORDS[tint]}背景"
    return f"{TINT_WORDS[tint]}{PATTERN_WORDS[pattern]}背景"


def _listing(plan: Plan, draws: Draws) -> str:
    lead = draws.pick(("图中有", "画面里有", "这张图片上有", "可以看到", ""))
    return lead + _some_of(plan.counts, draws) + _with_backdrop(plan)


def _with_backdrop(plan: Plan) -> str:
    """The backdrop as a separate clause; empty if the plan does not state it."""
    if plan.backdrop is None:
        return ""
    ending = "的" if plan.backdrop[0] == "plain" else ""
    return f"，背景是{_backdrop(plan.backdrop).removesuffix('背景')}{ending}"


def _located(plan: Plan, draws: Draws) -> str:
    place_first = draws.unit() < 0.7
    parts = []
    for fact in plan.located:
        thing, place = _some(Count(fact.what, 1), draws), draws.pick(_PLACES[fact.region])
        parts.append(
            f"{place}{draws.pick(('有', '是'))}{thing}" if place_first else f"{thing}在{place}"
        )
    return "，".join(parts) + _with_backdrop(plan)


def _related(plan: Plan, draws: Draws) -> str:
    parts = []
    for fact in plan.related:
        what, other = phrase(fact.what, draws), phrase(fact.other, draws)
        where = draws.pick(_RELATIONS[fact.relation])
        parts.append(f"{what}{draws.pick(('在', '位于'))}{other}的{where}")
    return draws.pick(("，", "；", "，而")).join(parts)


def _counted(plan: Plan, draws: Draws) -> str:
    lead = draws.pick(("一共有", "图中共有", "画面里总共有"))
    text = f"{lead}{NUMBERS[plan.total or 0]}个图形"
    if plan.share is not None:
        what, number = plan.share.what, NUMBERS[plan.share.number]
        kind = f"{COLOR_WORDS[what.color]}的" if what.color else phrase(what, draws)
        text += f"，其中{number}{_measure(what)}是{kind}"
    return f"{text}。{draws.pick(('能看到', '画面上有', '可以找到'))}{_some_of(plan.counts, draws)}"


def _setting(plan: Plan, draws: Draws) -> str:
    assert plan.backdrop is not None
    lead = f"{draws.pick(('在', ''))}{_backdrop(plan.backdrop)}上"
    if plan.covers is None:
        return f"{lead}有{_some_of(plan.counts, draws)}"
    front, back = (_some(Count(w, 1), draws) for w in (plan.covers.what, plan.covers.other))
    text = f"{lead}，{front}{draws.pick(('挡住了', '遮住了', '盖住了'))}{back}的一部分"
    return f"{text}，另外还有{_some_of(plan.counts, draws)}" if plan.counts else text
