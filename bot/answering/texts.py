"""The fixed sentences of the bot, in every language it knows; English for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Literal

from bot.messages import append_sentence

Phrase = Literal[
    "lead_in", "clarify", "clarify_between", "greeting", "thanks",
    "no_evidence", "wants_person", "failed", "engine", "own_order", "serious", "partly",
    "may_help",
]  # fmt: skip

_TEXTS: dict[str, dict[Phrase, str]] = {
    "en": {
        "lead_in": "Our help centre says:",
        "clarify": "Could you tell me a little more, so that I can find the right answer?",
        "clarify_between": "Could you tell me a little more? Is it about one of these: {topics}?",
        "greeting": "Hello! What can I help you with?",
        "thanks": "You're welcome! Is there anything else I can help you with?",
        "no_evidence": "I could not find a sure answer to that, so I am passing your question on to"
        " a colleague, who will reply here.",
        "wants_person": "Of course. I am passing this on to a colleague, who will reply here.",
        "failed": "I am sorry that I could not help. I am passing this on to a colleague, who will"
        " reply here.",
        "engine": "I cannot answer that right now, so I am passing your question on to a colleague,"
        " who will reply here.",
        "own_order": "That needs a look at your order, which I cannot do myself. I am passing it on"
        " to a colleague, who will reply here.",
        "serious": "This is for a person to look after. I am passing it on to a colleague right"
        " away. In an emergency please call the emergency services.",
        "partly": "For the rest of your question I am passing you on to a colleague, who will reply"
        " here.",
        "may_help": "Until then, this may help: {titles}.",
    },
    "zh": {
        "lead_in": "我们的帮助中心写道：",
        "clarify": "您能再说得具体一点吗？这样我才能找到准确的答案。",
        "clarify_between": "您能再说得具体一点吗？您想问的是不是：{topics}？",
        "greeting": "您好！请问有什么可以帮您？",
        "thanks": "不客气！还有什么可以帮您的吗？",
        "no_evidence": "这个问题我没有找到确切的答案，已转给同事，稍后会在这里回复您。",
        "wants_person": "好的，已为您转接人工客服，同事会在这里回复您。",
        "failed": "很抱歉没能帮到您。已转给同事，稍后会在这里回复您。",
        "engine": "我暂时无法回答这个问题，已转给同事，稍后会在这里回复您。",
        "own_order": "这需要查看您的订单，我自己无法处理，已转给同事，稍后会在这里回复您。",
        "serious": "这件事需要由人来处理，我马上转给同事。如遇紧急情况，请立即拨打急救或报警电话。",
        "partly": "其余的问题已转给同事，稍后会在这里回复您。",
        "may_help": "在此期间，以下文章可能对您有帮助：{titles}。",
    },
    "de": {
        "lead_in": "In unserem Hilfebereich steht:",
        "clarify": "Können Sie mir etwas mehr dazu sagen, damit ich die richtige Antwort finde?",
        "clarify_between": "Können Sie mir etwas mehr dazu sagen? Geht es um eines davon: "
        "{topics}?",
        "greeting": "Guten Tag! Wobei kann ich Ihnen helfen?",
        "thanks": "Gern geschehen! Kann ich sonst noch etwas für Sie tun?",
        "no_evidence": "Darauf habe ich keine sichere Antwort gefunden. Ich gebe Ihre Frage weiter;"
        " jemand aus dem Team antwortet Ihnen hier.",
        "wants_person": "Gern. Ich gebe das weiter; jemand aus dem Team antwortet Ihnen hier.",
        "failed": "Es tut mir leid, dass ich nicht helfen konnte. Jemand aus dem Team antwortet"
        " Ihnen hier.",
        "engine": "Das kann ich gerade nicht beantworten. Ich gebe Ihre Frage weiter; jemand aus "
        "dem"
        " Team antwortet Ihnen hier.",
        "own_order": "Dafür muss jemand in Ihre Bestellung sehen. Ich gebe das weiter; das Team"
        " antwortet Ihnen hier.",
        "serious": "Darum muss sich ein Mensch kümmern; ich gebe es sofort weiter. Rufen Sie im"
        " Notfall bitte den Notruf an.",
        "partly": "Den Rest Ihrer Frage gebe ich weiter; jemand aus dem Team antwortet Ihnen hier.",
        "may_help": "Bis dahin hilft vielleicht: {titles}.",
    },
    "fr": {
        "lead_in": "Notre centre d'aide indique :",
        "clarify": "Pouvez-vous préciser un peu votre question, pour que je trouve la bonne "
        "réponse ?",
        "clarify_between": "Pouvez-vous préciser ? S'agit-il de l'un de ces sujets : {topics} ?",
        "greeting": "Bonjour ! Comment puis-je vous aider ?",
        "thanks": "Je vous en prie ! Puis-je faire autre chose pour vous ?",
        "no_evidence": "Je n'ai pas trouvé de réponse sûre. Je transmets votre question à un"
        " collègue, qui vous répondra ici.",
        "wants_person": "Bien sûr. Je transmets à un collègue, qui vous répondra ici.",
        "failed": "Je suis désolé de ne pas avoir pu vous aider. Un collègue vous répondra ici.",
        "engine": "Je ne peux pas répondre pour le moment. Je transmets votre question à un"
        " collègue, qui vous répondra ici.",
        "own_order": "Il faut pour cela consulter votre commande. Je transmets à un collègue, qui"
        " vous répondra ici.",
        "serious": "Une personne doit s'en occuper ; je transmets tout de suite. En cas d'urgence,"
        " appelez les secours.",
        "partly": "Pour le reste de votre question, un collègue vous répondra ici.",
        "may_help": "En attendant, ceci peut vous aider : {titles}.",
    },
    "es": {
        "lead_in": "Nuestro centro de ayuda dice:",
        "clarify": "¿Puede contarme un poco más, para que encuentre la respuesta correcta?",
        "clarify_between": "¿Puede contarme un poco más? ¿Se trata de alguno de estos temas: "
        "{topics}?",
        "greeting": "¡Hola! ¿En qué puedo ayudarle?",
        "thanks": "¡De nada! ¿Puedo ayudarle en algo más?",
        "no_evidence": "No he encontrado una respuesta segura. Paso su pregunta a un compañero, que"
        " le responderá aquí.",
        "wants_person": "Por supuesto. Lo paso a un compañero, que le responderá aquí.",
        "failed": "Siento no haber podido ayudarle. Un compañero le responderá aquí.",
        "engine": "Ahora mismo no puedo responder. Paso su pregunta a un compañero, que le"
        " responderá aquí.",
        "own_order": "Para eso hay que consultar su pedido. Lo paso a un compañero, que le"
        " responderá aquí.",
        "serious": "De esto debe ocuparse una persona; lo paso ahora mismo. En una emergencia, "
        "llame"
        " a los servicios de emergencia.",
        "partly": "Para el resto de su pregunta, un compañero le responderá aquí.",
        "may_help": "Mientras tanto, esto puede ayudarle: {titles}.",
    },
    "ja": {
        "lead_in": "ヘルプセンターには次のように記載されています：",
        "clarify": "もう少し詳しく教えていただけますか。",
        "clarify_between": "もう少し詳しく教えていただけますか。"
        "次のうちのどれかについてですか：{topics}",
        "greeting": "こんにちは。どのようなご用件でしょうか。",
        "thanks": "どういたしまして。ほかにご用件はございますか。",
        "no_evidence": "確かな答えが見つかりませんでした。"
        "担当者に引き継ぎ、こちらでお返事いたします。",
        "wants_person": "承知しました。担当者に引き継ぎ、こちらでお返事いたします。",
        "failed": "お役に立てず申し訳ございません。担当者がこちらでお返事いたします。",
        "engine": "ただいまお答えできません。担当者に引き継ぎ、こちらでお返事いたします。",
        "own_order": "ご注文の確認が必要です。担当者に引き継ぎ、こちらでお返事いたします。",
        "serious": "担当者が対応すべき内容ですので、すぐに引き継ぎます。"
        "緊急の場合は緊急通報をご利用ください。",
        "partly": "残りのご質問は担当者に引き継ぎ、こちらでお返事いたします。",
        "may_help": "それまでの間、次の記事がお役に立つかもしれません：{titles}。",
    },
}

NAMES = {
    "en": "English", "zh": "Chinese", "de": "German", "fr": "French", "es": "Spanish",
    "ja": "Japanese", "it": "Italian", "nl": "Dutch", "pt": "Portuguese", "ko": "Korean",
}  # fmt: skip


def say(phrase: Phrase, language: str, **values: str) -> str:
    """The fixed sentence in that language, or in English where we have none."""
    return _TEXTS.get(language, _TEXTS["en"])[phrase].format(**values)


_MARKS = {
    "zh": ("《", "》"), "ja": ("「", "」"), "de": ("„", "“"), "es": ("«", "»"),
    "fr": ("«\N{NO-BREAK SPACE}", "\N{NO-BREAK SPACE}»"),
}  # fmt: skip
MAX_TITLE_CHARS = 100


def suggest(titles: Sequence[str], language: str) -> str:
    """The sentence that names articles which may help, each in quotation marks."""
    known = language if language in _TEXTS else "en"
    opens, closes = _MARKS.get(known, ("“", "”"))
    named = [f"{opens}{' '.join(title.split())[:MAX_TITLE_CHARS]}{closes}" for title in titles]
    return say("may_help", known, titles=("" if known in ("zh", "ja") else ", ").join(named))


def joined(sentences: Sequence[str]) -> str:
    """Sentences as one text."""
    return reduce(append_sentence, sentences, "")
