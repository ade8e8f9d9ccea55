"""What a message asks for besides information: a person, small talk, a deed on one's own order.

Rules, not a model: each can be read, and a missed one still meets the evidence check.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from bot.answering.words import content_words
from bot.messages import Turn

Intent = Literal[
    "wants_person", "serious", "failed", "own_order", "greeting", "thanks", "instructions", "ask"
]

_PERSON = (
    r"(?:(?<!-)(?<!\d )\b(?:human(?: being)?s?|real (?:person|people|human)|live (?:agent|person"
    r"|chat)|agent|"
    r"representative|operator|staff member|member of staff|advisor|supervisor|"
    r"support (?:team|staff|person)|customer (?:service|support|care)(?: (?:rep\w*|agent|person))?|"
    r"actual (?:person|human|people))\b)"
)
_WANTS_PERSON = re.compile(
    rf"\b(?:talk|speak|chat|connect\w*|transfer\w*|put|pass|get|reach|need|want|like|prefer|give"
    rf"|find)\b[^.?!]{{0,25}}{_PERSON}"
    rf"|\b(?:talk|speak|chat)\b[^.?!]{{0,12}}\b(?:to|with)\b[^.?!]{{0,12}}\b(?:some(?:one|body)"
    rf"|a person|people|a manager|your (?:manager|boss)|a colleague)\b"
    rf"|\bput me (?:through|in touch)\b|\bhand me over\b|\bescalate (?:this|it|my)\b"
    rf"|\b(?:no|not|don'?t|stop|hate|enough|tired|without|instead)\b[^.?!]{{0,30}}\b(?:bots?"
    rf"|chatbots?|robots?|machines?|computers?|automated)\b[^.?!]*(?:please|answer|repl|talk"
    rf"|speak|want|put|give|$|[.?!])"
    rf"|^\W*(?:a |an |the )?(?:{_PERSON}|person)(?:,? (?:please|now|pls))?\W*$"
    rf"|\bare you (?:a )?(?:real|human)\b.*\b(?:want|need|get|talk)\b"
    rf"|\bi (?:want|need|would like|'d like) (?:a |an |to (?:see|have) a )?(?:real )?(?:human"
    rf"|person)\b"
    r"|转(?:接)?(?:到)?人工|人工客服|人工服务|(?:找|要|叫|换|来|接)(?:个|一个|一位|位)?(?:人工"
    r"|真人|活人|人来|客服(?!电话|时间|热线|邮箱)|经理|店长)"
    r"|^\W*(?:人工|真人|客服)(?:服务|客服)?\W*$|(?:和|跟|与|同)(?:一个|个)?(?:真人|人工|客服|活人"
    r"|人)(?:员|人员)?(?:说|聊|谈|沟通|对话|讲|联系)"
    r"|(?:不要|不想|别|不跟|不和|讨厌)[^。？！]{0,10}(?:机器人|机器|自动回复|AI)"
    r"|有(?:没有)?(?:真人|活人)|换人|给我打(?:个)?电话",
    re.IGNORECASE,
)
_SERIOUS = re.compile(
    r"\b(?:my (?:lawyer|solicitor|attorney)|sue you|legal action|take you to court|see you in court"
    r"|(?:got|was|been|were|am|is) (?:badly )?(?:injured|burned|burnt|hurt)|caught fire|is on fire"
    r"|call(?:ed)? an ambulance|suicid\w*|kill (?:myself|me)|file a (?:police )?report"
    r"|(?:make|file|lodge) a (?:formal )?complaint (?:about|against))\b"
    r"|律师函|起诉|告你们|法庭|法院|受伤|烧伤|着火了|起火了|救命|自杀|要投诉|我投诉",
    re.IGNORECASE,
)
_NO_HELP = re.compile(
    r"\b(?:(?:that|this|it|you)(?:'s|'re| is| are| was)? (?:did ?n[o']?t|does ?n[o']?t"
    r"|do ?n[o']?t|not|no|isn'?t|aren'?t|wasn'?t) (?:really )?"
    r"(?:help|answer|what i|my question|work|understand|useful|listening|right))"
    r"|\b(?:not helpful|useless|wrong answer|not my question|already (?:told|said|asked)"
    r"|asked (?:that )?already"
    r"|you keep (?:saying|repeating)|still (?:no|not|waiting for an) (?:help|answer|solved))\b"
    r"|没(?:有)?(?:帮助|用|解决|回答)|答非所问|不是我(?:要|想)?问|说了(?:多少|几|好几)遍"
    r"|听不懂(?:人话)?|没用|还是不(?:行|对|明白)",
    re.IGNORECASE,
)
_ORDER_ID = re.compile(r"(?<![\w-])#?[A-Z]{0,4}[- ]?\d{6,}(?![\w-])|#\d{4,}", re.IGNORECASE)
_OWN_AFFAIR = re.compile(
    r"\b(?:where(?:'s| is| are)|status|track|when (?:will|does|is) (?:my|it)|(?:can|could|will"
    r"|would) you"
    r"|cancel|change|refund|give|return|send|check|look|charged|cancelled|arrived|received|lost"
    r"|missing)\b"
    r"|帮我|给我|能不能|可以.*吗|到哪|哪里|查|什么时候|没收到|退|改|取消|扣",
    re.IGNORECASE,
)
_DEED = re.compile(
    r"\b(?:(?:please |can you |could you |just )?(?:refund|reimburse|credit) (?:me|my (?:money"
    r"|order|card|payment))(?! if)"
    r"|(?:cancel|change|update|check|look up|track) my (?:order|address|booking|delivery|parcel"
    r"|account)(?: for me)?(?: now| today| right away)"
    r"|(?:cancel|change|update|check|look up|track) (?:it|this|that|my \w+) for me"
    r"|give me (?:back )?(?:my money|a refund|a discount|one of))\b"
    r"|(?:马上|立刻|现在|今天|赶紧)(?:就)?(?:帮我|给我)(?:退|改|取消|查|发)|帮我(?:把"
    r"|查(?:一下)?我|取消|退(?:款|货|了)|改(?:一下)?(?:订单|地址))",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"\b(?:hi|hello|hey|hiya|good (?:morning|afternoon|evening|day)|greetings"
    r"|how are you(?: doing)?(?: today)?"
    r"|how's it going|anyone (?:there|here)|is (?:anyone|anybody|someone) there|nice to meet you"
    r"|what's up|there)\b"
    r"|你好|您好|哈喽|嗨|在吗|在么|早上好|下午好|晚上好|早安|有人吗|今天|心情|怎么样|最近|过得"
    r"|好吗|吃了吗|呀|啊",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"\b(?:thanks?(?: you)?(?: so| very)?(?: much)?|thank you|thx|ty|cheers|great|perfect|awesome"
    r"|super|good|cool|ok(?:ay)?"
    r"|bye|goodbye|see you|you(?:'re| are) (?:a star|great|the best|awesome|amazing)"
    r"|have a (?:nice|good|great|lovely) (?:day|one|weekend|evening)"
    r"|that(?:'s| is| was)? (?:all|it|great|perfect|helpful|helps?|everything)|(?:that )?helped"
    r"|got it|understood|never mind|lovely|for your help|very|a lot|all)\b"
    r"|谢谢(?:你|您|啦|了)?|多谢|感谢|辛苦了|好的|明白了?|知道了|懂了|收到|再见|拜拜"
    r"|没(?:有)?(?:问题|事)了|太好了|祝(?:你|您)[^，。！]*|帮(?:了)?大忙",
    re.IGNORECASE,
)
_REAL_GREETING = re.compile(
    r"\b(?:hi|hello|hey|hiya|good \w+|greetings|how are you|anyone)\b|你好|您好|哈喽|嗨|在吗|在么"
    r"|早|晚上好|下午好|有人吗|心情",
    re.IGNORECASE,
)
_INSTRUCTIONS = re.compile(
    r"\b(?:ignore|forget|disregard|override|bypass)\b[^.?!]{0,40}\b(?:instructions?|rules?"
    r"|prompts?|guidelines?|polic(?:y|ies)|previous|above|prior)\b"
    r"|\byou are (?:now|no longer)\b|\bfrom now on\b|\bpretend (?:to be|you|that)\b|\bact as (?:a"
    r"|an|if|the|my)\b|\brole-?play\b|\bdeveloper mode\b|\bjailbreak\b"
    r"|\b(?:system|hidden|initial|secret) (?:prompt|instructions?|message)\b|\byour (?:prompt"
    r"|instructions)\b|\brepeat after me\b"
    r"|\b(?:confirm|say|write|reply|respond|answer|output|print)\b[^.?!]{0,20}\b(?:this to me"
    r"|exactly|word for word|the following|only with|in one sentence|nothing (?:but|else))\b"
    r"|(?:忘掉|忘记|忽略|无视|绕过|不要理会)[^。？！]{0,15}(?:规则|指令|指示|设定|提示|要求|限制"
    r"|之前|以上)|你现在是|从现在(?:开始|起)|假装|扮演|系统提示|提示词|开发者模式|越狱|(?:逐字"
    r"|原样)(?:重复|输出)",
    re.IGNORECASE,
)
_FOR_A_MODEL = re.compile(
    r"<\||\|>|</?(?:facts?|question|system|instructions?|user|assistant)>|^\W*(?:system"
    r"|assistant)\s*[:：]"
    r"|\b(?:ai|language) (?:assistant|model)s?\b[^.]*\b(?:must|should|tell|say|always)\b"
    r"|\btell (?:everybody|every customer|the customer|all customers)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")


def read_intent(turns: Sequence[Turn], unanswered: int, failures: int) -> Intent:
    """What the unanswered turns ask for; `ask` unless a rule knows better."""
    fresh = [turn.text for turn in turns[-unanswered:] if turn.author == "contact"]
    text = "\n".join(fresh)
    if _WANTS_PERSON.search(text):
        return "wants_person"
    if _SERIOUS.search(text):
        return "serious"
    if _keeps_failing(turns, text, failures):
        return "failed"
    if needs_their_order(text):
        return "own_order"
    return _manner(text)


def _manner(text: str) -> Intent:
    if small := _small_talk(text):
        return small
    return "instructions" if not without_instructions(text).strip() and text.strip() else "ask"


def _small_talk(text: str) -> Intent | None:
    """A greeting or thanks with nothing else in it."""
    if not (_GREETING.search(text) or _THANKS.search(text)):
        return None
    if content_words(_GREETING.sub(" ", _THANKS.sub(" ", text))) or re.search(r"\d", text):
        return None
    return (
        "greeting" if _REAL_GREETING.search(text) and not _THANKS.match(text.strip()) else "thanks"
    )


def needs_their_order(text: str) -> bool:
    """Whether the answer lies in the customer's own order or asks for a deed, not for knowledge."""
    return bool(_ORDER_ID.search(text) and _OWN_AFFAIR.search(text)) or bool(_DEED.search(text))


def without_instructions(text: str) -> str:
    """The text without the sentences that address the bot's workings: they are data, not orders."""
    return "".join(part for part in _SENTENCE.findall(text) if not _INSTRUCTIONS.search(part))


def addresses_the_bot(text: str) -> bool:
    """Whether a text, an article's too, gives orders to a language model."""
    return bool(_INSTRUCTIONS.search(text) or _FOR_A_MODEL.search(text))


def says_it_did_not_help(text: str) -> bool:
    return bool(_NO_HELP.search(text))


def _keeps_failing(turns: Sequence[Turn], text: str, failures: int) -> bool:
    """Two failures, the second of which the contact says or shows by asking the same again."""
    if failures >= 2:
        return True
    earlier = [turn.text for turn in turns if turn.author == "contact" and turn.text not in text]
    complaints = sum(map(says_it_did_not_help, [*earlier, text])) + failures
    return complaints >= 2 or _asked_often(turns, text)


def _asked_often(turns: Sequence[Turn], text: str) -> bool:
    """The same words for the third time."""
    wanted = content_words(text)
    same = [
        turn for turn in turns if turn.author == "contact" and content_words(turn.text) == wanted
    ]
    return len(wanted) >= 2 and len(same) >= 3
