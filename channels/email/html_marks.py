"""Which elements of an HTML mail are quotes and signatures, by the names programs give them."""

from __future__ import annotations

import re

from lxml import etree

from channels.email.quote_lines import is_attribution, is_separator

# What mail programs call the element that holds a quoted or forwarded mail; ids and classes alike.
# Some rename what they forward: Outlook puts x_ before, Yahoo yiv and a number, AOL aolmail_.
_RENAMED = re.compile(r"^(?:x_|yiv\d+|aolmail_|m_-?\d+|ydp[0-9a-f]+)+")
_QUOTE_NAMES = re.compile(
    r"(?i)^(?:"
    r"gmail_quote(?:_container)?|gmail_attr|yahoo_quoted.*|protonmail_quote|tutanota_quote"
    r"|moz-cite-prefix|moz-forward-container|moz-email-headers-table|reply-intro|forwardbody\d*"
    r"|isreplycontent|isforwardcontent|ntes-mailmaster-quote|replysection|mail_quote|mailquote"
    r"|netease_mail_quote|qmbox_quote|xm_mail_oringinal_describe|original-?content|original_email"
    r"|mail-editor-reference-message-container|olk_src_body_section|outlookmessageheader"
    r"|ms-outlook-mobile-reference-message|zmail_extra|zimbra_quote|messagereplysection"
    r"|front-blockquote|freshdesk_quote|missive_quote|hs_reply|sh-quoted-content|aolreplacedbody"
    r"|superhuman_quote|replied-text|alimail-quote|history-quote-wrapper|lark-mail-quote"
    r"|lark-mail-doc-quote|_originalcontent|_persistentreplyheader|hey-quote|mailru-blockquote"
    r"|gmx_quote|web_de_quote|em_quote|mailbird_quote|sogo_quote|helpscout_quote|quoted-text"
    r"|quoted_text|quotedtext|email_quote|email-quote|wordsection_quote|tb_quote|k9mail_quote"
    r"|cs2465_quote|skiff_quote|airmail_on|airmail_original|bloop_original_html|mcntquote"
    r")$"
)
# Behind these everything is the earlier mail, wherever its elements stand.
_CUT_NAMES = re.compile(
    r"(?i)^(?:divrplyfwdmsg|zwchr|stopspelling|outlookmessageheader|mail-editor-reference-message"
    r"-container|ms-outlook-mobile-body-separator-line|replyheader_container)$"
)
_SIGNATURE_NAMES = re.compile(
    r"(?i)^(?:gmail_signature(?:_prefix)?|moz-signature|ms-outlook-mobile-signature|signature"
    r"|protonmail_signature_block.*|composer_signature|messagesignaturesection|mailbox_signature"
    r"|applemailsignature|front-signature|tutanota_signature|ntes-signature|mail_signature"
    r"|ydp[0-9a-f]*signature|yahoo_signature|mb_sig|zmail_signature|lark-mail-signature"
    r"|ntes-mailmaster-signature|foxmail_signature|sogo_signature|sh-signature|airmail_sign"
    r"|bloop_sign.*|xmail-signature|_signature|email-signature|alimail-signature|dab_signature"
    r"|lineBreakAtBeginningOfSignature|emailsignature|mailsignature)$"
)
_BORDERED = re.compile(r"(?i)border-left(?:-(?:width|style|color))?\s*:(?!\s*(?:none|0))")


def is_signature(element: etree._Element) -> bool:
    """True for the element in which a program put the sender's signature."""
    return any(_SIGNATURE_NAMES.match(name) for name in _names(element))


def is_quote(element: etree._Element) -> bool:
    """True for an element that holds a quoted or forwarded mail, or introduces one."""
    tag = tag_of(element)
    names = _names(element)
    if any(_QUOTE_NAMES.match(name) for name in names):
        # Gmail wraps quotes and the answers between them in one element: look inside for those.
        is_wrapper = any(name.startswith("gmail_quote") or name == "replysection" for name in names)
        return not (is_wrapper and tag != "blockquote" and _first_blockquote(element) is not None)
    if element.get("name", "").lower() == "quote":  # GMX and WEB.DE
        return True
    if element.get("data-marker") in ("__QUOTED_TEXT__", "__DIVIDER__", "__HEADERS__"):
        return True
    if tag == "blockquote":
        return _is_quoting(element)
    return _introduces_quote(element, tag)


def _is_quoting(element: etree._Element) -> bool:
    """A blockquote may also be an indented paragraph of one's own."""
    if element.get("type", "").lower() == "cite" or element.get("cite"):
        return True
    if _BORDERED.search(element.get("style", "")) or element.get("class"):
        return True
    before = _text_before(element)
    return is_attribution(before) or is_separator(before)


def _introduces_quote(element: etree._Element, tag: str) -> bool:
    """The line "On ... Ada wrote:" that stands in an element of its own before a blockquote."""
    if tag not in ("div", "p", "span", "font"):
        return False
    following = element.getnext()
    if following is None or following.getprevious() is not element or (element.tail or "").strip():
        return False
    while (
        following is not None and tag_of(following) == "br" and not (following.tail or "").strip()
    ):
        following = following.getnext()
    if following is None:
        return False
    begins_quote = tag_of(following) == "blockquote" or _first_child_is_blockquote(following)
    if not begins_quote:
        return False
    text = " ".join(all_text(element, 600).split())
    return 0 < len(text) < 400 and is_attribution(text)


def _first_child_is_blockquote(element: etree._Element) -> bool:
    first = element[0] if len(element) else None
    return first is not None and tag_of(first) == "blockquote" and not (element.text or "").strip()


def _first_blockquote(element: etree._Element) -> etree._Element | None:
    return next(element.iter("blockquote"), None)


def is_cut(element: etree._Element) -> bool:
    """True for an element behind which everything is the earlier mail."""
    return any(_CUT_NAMES.match(name) for name in _names(element))


def _text_before(element: etree._Element) -> str:
    previous = element.getprevious()
    while previous is not None and tag_of(previous) == "br" and not (previous.tail or "").strip():
        previous = previous.getprevious()
    if previous is None:
        parent = element.getparent()
        return " ".join((parent.text or "").split())[-400:] if parent is not None else ""
    tail = " ".join((previous.tail or "").split())
    return tail[-400:] if tail else " ".join(all_text(previous, 2000).split())[-400:]


def _names(element: etree._Element) -> list[str]:
    found = (element.get("class") or "")[:500].split()[:12]
    if identifier := (element.get("id") or "").strip()[:100]:
        found.append(identifier)
    if tag_of(element) == "div" and (called := (element.get("name") or "").strip()[:100]):
        found.append(called)  # Spark
    return [_RENAMED.sub("", name) for name in found]


def all_text(element: etree._Element, limit: int = 100_000) -> str:
    """The text inside an element, up to about `limit` characters."""
    pieces: list[str] = []
    size = 0
    for text in element.itertext():
        pieces.append(str(text))
        size += len(text)
        if size > limit:
            break
    return "".join(pieces)


def tag_of(element: etree._Element | None) -> str:
    """An element's tag in lower case; "" for a comment or None."""
    return element.tag.lower() if element is not None and isinstance(element.tag, str) else ""
