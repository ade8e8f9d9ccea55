"""What a text claims besides its figures: denial, condition, obligation, bounds - in two languages.

Marks are named the same in English and Chinese, so that a reply compares with its evidence
across the two.
"""

from __future__ import annotations

import re

# Phrases that hold a mark's word but do not mean it.
_NOT_A_DENIAL = re.compile(
    r"\bnot only\b|\bno problem\b|\bno later than\b|\bno more than\b|\bno less than\b"
    r"|\bno\.(?= ?\d)"
    r"|\bnot later than\b|\bnot more than\b|\bwhether or not\b|\bif not\b|\bdon't hesitate\b"
    r"|\bdo not hesitate\b|\bdon't worry\b"
    r"|是不是|能不能|可不可以|要不要|会不会|有没有|行不行|不但|不仅|不同|不论|不管|不错|不好意思"
    r"|不少于|不低于"
    r"|不晚于|不迟于|不超过|不满|不足|不到|不久|不断|无论|没关系|未来|非常|对不起|特别|别的|别人"
    r"|级别|区别|类别|性别|差别"
    r"|除非|要不然|不过|关门时间|几点关门|休息日|无线|closing time",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:not|no|never|none|neither|nor|nothing|nobody|nowhere|without|cannot|excluding|excluded"
    r"|excludes?|except|unable|impossible|unavailable|unused|unopened|forbidden|prohibited|refus\w+"
    r"|declin\w+|closed|invalid|void|ineligible|lacks?|non|instead of|rather than|stop|avoid)\b"
    r"|n't\b|n’t\b"
    r"|\b(?:nicht|kein\w*|nie|ohne|ne|pas|jamais|sans|sin|nunca|nao)\b"
    r"|不|没|無|无|未|非|勿|別|别|禁止|拒绝|除外|以外|之外|关门|休息|关闭|停业|避免",
    re.IGNORECASE,
)

_MARKS = {
    "condition": r"\b(?:if|unless|provided (?:that|you|we|it|they|the)|as long as|in case|except"
    r"|only|excluding|wenn|nur|si)\b"
    r"|如果|若|假如|只要|除非|只有|只能|只限|仅|除了|除|前提|的话|才能|才可|方可",
    "only": r"\b(?:only|solely|exclusively|nur|seulement|sólo)\b|只有|只能|只限|仅|才能|才可|方可",
    "must": r"\b(?:must|have to|has to|needs?|requires?|required|mandatory|obliged)\b|必须|须|务必"
    r"|一定要|需要|需",
    "universal": r"\b(?:all|every|everyone|everything|any|anyone|anything|anywhere|always|each"
    r"|worldwide|everywhere|whenever|daily|per (?:day|item|piece|person|order|time))\b"
    r"|任何|所有|一律|全部|永远|总是|每[个次位天件]|随时|都|全球",
    "promise": r"\b(?:guarantee[ds]?|promise[sd]?|definitely|certainly|surely|assured?"
    r"|absolute(?:ly)?|ensure[sd]?|make sure|verify)\b"
    r"|保证|承诺|一定会|肯定|绝对|确保",
    "free": r"\b(?:free|complimentary|gratis)\b|\b(?:no|without|any) (?:extra "
    r"|additional )?(?:charge|cost|fee)s?\b|免费|包邮|免邮|免运费|不收费",
    "at once": r"\b(?:immediately|instantly|right away|at once|same day)\b|立即|马上|立刻|当天"
    r"|即时",
    "full": r"\b(?:full(?:y)?|entire|complete(?:ly)?|whole|unlimited|lifetime)\b|全额|全款|终身"
    r"|无限|完整|完全",
    "more": r"\b(?:more than|over|above|exceed\w*|at least|minimum|longer than|heavier than|greater"
    r"|larger|higher|from|or more)\b|超过|以上|至少|最少|最低|起|满|高于|大于|不低于|不少于",
    "less": r"\b(?:less than|under|below|at most|maximum|up to|within|no more than|not more than"
    r"|shorter than|smaller|fewer|lower|max|limit\w*)\b|以下(?=[的，。；、）)]|$)"
    r"|以内|之内|最多|最长|最高|不满|不足|低于|少于|小于|不超过|不到|限"
    r"|(?:秒|分钟|小时|天|日|周|个月|年)\s*内|最大(?=[为值可不支容\s\d])",
    "comparison": r"\b(?:longer|shorter|cheaper|bigger|larger|smaller|higher|lower|better|worse"
    r"|faster|slower|heavier|lighter|earlier|older|newer|stronger|warmer|easier|safer|best|worst"
    r"|longest|shortest|cheapest|biggest|largest|smallest|highest|lowest|fastest|heaviest"
    r"|lightest|more \w+ than|less \w+ than|(?:the|same) same|than)\b"
    r"|更(?![改新换正名衣]|多(?:信息|内容|详情|细节|资料|帮助))|比[^如较例赛]"
    r"|最(?:长|短|好|便宜|贵|高|低|大|小|快|慢|重|轻)(?!可|不)(?<!最大(?=[为值支容\s\d]))",
    "before": r"\b(?:before|until|by|prior|no later than|earlier)\b|之前|以前|前|截止|最晚|不晚于"
    r"|不迟于",
    "after": r"\b(?:after|since|later|once|as soon as|from|start\w*|begin\w*)\b|之后|以后|后|起"
    r"|开始",
}
_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _MARKS.items()}

# What a reply may not add to its evidence, and what it may not leave out of it.
NOT_ADDED = (
    "comparison",
    "must",
    "universal",
    "promise",
    "free",
    "at once",
    "full",
    "only",
    "more",
    "less",
)
NOT_DROPPED = ("condition",)

_YES = re.compile(
    r"^\s*(?:(?:yes|yeah|yep|sure|of course|certainly|absolutely|correct|right|oui|ja|sí"
    r"|si)\b(?! not)"
    r"|(?:是的|可以的?|能的?|有的?|对的?|当然(?:可以)?|没错|会的?|行|好的)(?=[，,。！!；;]))",
    re.IGNORECASE,
)
_NO = re.compile(
    r"^\s*(?:(?:no|nope|unfortunately|sorry|afraid|non|nein)\b"
    r"|(?:不(?:是|可以|能|行|会|用|需要|要|好意思)?的?|没有|抱歉|很遗憾|对不起)(?=[，,。！!；;]))",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^[\s,，.。!！:：;；—–-]+")


def denials(text: str) -> int:
    """How many denials the text holds; two of them cancel out, so callers compare parity."""
    return len(_DENIAL.findall(_NOT_A_DENIAL.sub(" ", text)))


def is_denied(text: str) -> bool:
    return denials(text) % 2 == 1


def marks(text: str) -> frozenset[str]:
    """The names of the marks in the text: condition, must, universal, free, more, less, ..."""
    return frozenset(name for name, pattern in _PATTERNS.items() if pattern.search(text))


def opening_answer(text: str) -> bool | None:
    """True for a reply that opens with yes, False with no, None with neither."""
    if _YES.match(text):
        return True
    return False if _NO.match(text) else None


def without_opening(text: str) -> str:
    """The reply without its opening yes or no."""
    match = _YES.match(text) or _NO.match(text)
    if not match:
        return text
    rest = _OPENING.sub("", text[match.end() :])
    return rest[:1].upper() + rest[1:]
