"""What stands around a sender's words without being theirs: signatures, footers, banners."""

from __future__ import annotations

import re

_DELIMITER = re.compile(r"^\s*(?:--|—|––|__|－－)\s*$")
_DEVICE = (
    r"i?phone|ipad|ipod|android|galaxy|samsung|huawei|xiaomi|redmi|pixel|mobile|handy|smartphone|"
    r"blackberry|outlook|mail\b|e-?mail|gmail|yahoo|aol|proton|spark|windows|tablet|"
    r"telefon|téléphone|móvil|"
    r"telemóvel|celular|cellulare|mobiel|telefoon|gsm|mobil|puhelime|telefonu|телефон|"
    r"смартфон|устройств|"
    r"手机|手機|iphone|平板|電腦|电脑|客户端|邮箱|アプリ|スマートフォン|携帯|나의|휴대|mac\b|"
    r"superhuman|fairphone|oneplus|oppo|vivo|"
    r"motorola|nokia|sony|xperia|lg\b|thunderbird|k-9|hey\b|app\b|phone|laptop|watch|gmx|"
    r"web\.de|t-online|zoho|mi\b"
)
_FOOTER = re.compile(
    rf"(?i)^[\s*_(\[]*(?:"
    rf"(?:sent|sendt|gesendet|von|envoy[ée]|enviad[oa]|inviat[oa]|verzonden|verstuurd|"
    rf"skickat|lähetetty|wysłan[oey]|"
    rf"odesl[aá]no|odoslan[ée]|отправлено|надіслано|gönderildi|elküldve|küldve|trimis|"
    rf"stuurd|get|hol(?:en)?|obtenir|"
    rf"téléchargez|obtener|obtenga|scarica|ottieni|download|hent|hämta|pobierz|obter|"
    rf"obtenha|dikirim|được gửi|εστάλη|στάλθηκε|ส่งจาก|"
    rf"written|composed|typed|dictated|sent via|gesendet mit|diese nachricht wurde "
    rf"von)\b.{{0,60}}(?:{_DEVICE}).{{0,60}}|"
    r"(?:发自|發自|从我的|來自我的|来自我的|傳送自|發送自|通过|寄自|从)\s?.{0,40}(?:iphone|"
    r"ipad|手机|手機|邮箱|郵箱|mail|outlook|android|"
    r"华为|小米|设备|裝置|客户端|平板|app|发送|傳送|寄出|mate|foxmail|phone).{0,20}|"
    r".{0,30}(?:から送信|より送信).{0,10}|.{0,30}에서 (?:보냄|보낸|발송|전송).{0,10}|"
    r"(?:نُ?رسل|أرسلت|مرسل) من .{0,40}|"
    r"נשלח מ.{0,40}|.{2,30}(?:cihazımdan|'?[dt][ae]n) gönderildi\.?|von meinem .{0,40} gesendet\.?|"
    r"(?:mit|über|per|von|aus).{0,40}(?:handy|iphone|ipad|smartphone|gmx|web\.de|"
    r"app).{0,30}(?:gesendet|versendet|verschickt)\.?|"
    r"(?:virus-?free|virenfrei|sans virus|libre de virus|privo di virus|virusvrij|sem "
    r"vírus|без вирусов)\b.{0,80}|"
    r"this (?:e-?mail|message) (?:has been|was) (?:checked|scanned) for viruses.{0,120}|"
    r"(?:diese e-mail wurde|cet e-?mail a été|este correo.{0,30}ha sido).{0,40}(?:viren|"
    r"virus|antivirus).{0,80}|"
    r".{0,10}签名由.{0,12}(?:网易邮箱大师|邮箱).{0,10}|(?:本)?邮件(?:由|"
    r"来自).{0,20}(?:发送|客户端).{0,10}|"
    r"(?:pardon|please excuse|excuse|sorry for|forgive)\b.{0,40}\b(?:typos?|brevity|"
    r"autocorrect).{0,40}|"
    r"(?:bitte entschuldigen sie|entschuldigung für).{0,40}(?:tippfehler|kürze).{0,40}|"
    r"to unsubscribe from this group and stop receiving.{0,160}|you received this message "
    r"because you are subscribed.{0,200}"
    r")\s*(?:<?https?://\S+)?[.!*_)\]\s]*$"
)
# "Sent with Anything": programs name themselves in a last line of their own.
_SENT_WITH = re.compile(
    r"(?i)^\W{0,4}(?:sent (?:from|with|via|using)|gesendet (?:mit|von|über)|envoyé "
    r"(?:avec|depuis|de|à partir)|"
    r"enviado (?:desde|con|do|de|via)|inviato (?:da|con)|verzonden (?:vanaf|met|via)|"
    r"verstuurd vanaf|skickat från|"
    r"отправлено (?:с|из)|wysłan[oe] z|get \S{2,20} for)\s[^.!?\d]{2,60}(?:\d{1,2}|"
    r"[.(<]?\s?https?://\S+.{0,60})?\W{0,3}$"
)
_BOX = re.compile(r"^\s*([*=\-━─＝‐_～~+#・◆◇■□]){8,}\s*$")
_LIST_RULE = re.compile(r"^_{40,60}$|^-{40,75}$")
_LIST_FOOTER = re.compile(
    r"(?i)mailing list|unsubscribe|listinfo|mailman|groups\.|abmelden|désabonner|退订"
)
_DISCLAIMER = re.compile(
    r"(?i)^[\s*_]*(?:(?:confidentiality|confidential|privileged|legal|privacy|disclaimer|"
    r"haftungsausschluss|"
    r"vertraulichkeits\w*|avis de confidentialité|aviso (?:legal|de "
    r"confidencialidad)|avvertenza|免责声明|保密(?:声明|提示|通知)|機密保持)"
    r"[\s\w]{0,30}[:：*!\n]|"
    r"this (?:e-?mail|message|communication|transmission)\b.{0,160}(?:confidential|"
    r"privileged|intended (?:only|solely|for))|"
    r"(?:the )?(?:information|content)s? (?:contained )?in this (?:e-?mail|"
    r"message).{0,160}(?:confidential|privileged|intended)|"
    r"(?:if you are not the|sollten sie nicht der) (?:intended|richtige|vorgesehene)|"
    r"diese (?:e-?mail|nachricht)\b.{0,160}(?:vertraulich|rechtlich geschützt)|"
    r"(?:ce message|ce courriel|cet e-?mail)\b.{0,160}(?:confidentiel|destin(?:é|ataire))|"
    r"(?:este (?:mensaje|correo|e-?mail)|esta mensagem)\b.{0,160}(?:confidencial|destinatari)|"
    r"(?:questo messaggio|la presente e-?mail|le informazioni "
    r"contenute)\b.{0,160}(?:riservat|confidenzial)|"
    r"(?:dit (?:e-?mail)?bericht|deze e-?mail)\b.{0,160}(?:vertrouwelijk|uitsluitend bestemd)|"
    r"本(?:邮件|电子邮件|信件|郵件).{0,60}(?:保密|机密|機密|仅供|仅限)|"
    r"このメール.{0,60}(?:機密|秘密)|"
    r"(?:please )?(?:consider|think of) the environment before printing|denken sie an die umwelt|"
    r"p(?:ensez|ensons) à l['’]environnement)"
)
_BANNER = re.compile(
    r"(?i)^[\s*\[<(!⚠️#-]*(?:(?:caution|warning|achtung|attention|vorsicht|atención|"
    r"attenzione|notice|external)\b.{0,20}[:!\]\-–*]*.{0,40}"
    r"(?:external|originated (?:from )?outside|outside (?:of )?(?:the|your|our) "
    r"(?:organi[sz]ation|company)|extern\w*|externe|externo|esterna)"
    r".{0,260}|external (?:e-?mail|sender|message).{0,160}|\[?(?:external|extern)\]?|"
    r"you don['’]t often get (?:e-?mail|email) from.{0,200}|sie erhalten nicht oft eine "
    r"e-mail von.{0,200}|"
    r"(?:some people who received this message don['’]t often get).{0,220}|"
    r"(?:do not|don['’]t) click (?:on )?(?:any )?links? or open (?:any )?attachments?.{0,200}|"
    r"vous n[’']obtenez pas souvent d[’']e-?mail.{0,200}|此(?:邮件|"
    r"郵件)来自外部.{0,80}|【?外部(?:邮件|郵件|メール)】?.{0,60})[\s*\])>.!-]*$"
)
_SIGN_OFF = re.compile(
    r"(?i)^\s*(?:(?:(?:with )?(?:best|kind|kindest|warm|warmest|many)\s+(?:regards|wishes|"
    r"thanks)|regards|best|cheers|sincerely|yours(?: \w+)?|"
    r"thanks(?: (?:again|a lot|so much|in advance|and regards|& regards|and best "
    r"regards))?|thank you(?: (?:very much|so much|in advance))?|"
    r"mit (?:freundlichen|besten|herzlichen|lieben|vielen) gr(?:ü|ue)(?:ß|ss)en?|(?:mit "
    r")?(?:freundliche|beste|viele|liebe|herzliche|schöne|sonnige)[rn]? gr(?:ü|ue)(?:ß|"
    r"ss)e?n?|"
    r"gr(?:u|ü)(?:ß|ss)e?|lg|vg|mfg|hochachtungsvoll|vielen dank|danke(?: und gruß)?|"
    r"(?:bien )?cordialement|(?:meilleures|sincères|cordiales) salutations|bien à vous|"
    r"merci(?: d[’']avance)?|"
    r"(?:un )?saludos?(?: cordiales)?|atentamente|(?:muchas )?gracias|un cordial saludo|"
    r"(?:cordiali|distinti|tanti) saluti|grazie(?: mille)?|saluti|att(?:enciosamente|\.)?|"
    r"obrigad[oa]|cumprimentos|"
    r"met vriendelijke groet(?:en)?|(?:hartelijke |vriendelijke )?groet(?:en|jes)?|mvg|"
    r"med vänlig(?:a)? hälsning(?:ar)?|(?:med )?venlig hilsen|med vennlig hilsen|mvh|"
    r"hilsen|"
    r"ystävällisin terveisin|terveisin|pozdrawiam(?: serdecznie)?|z poważaniem|s "
    r"pozdravem|с уважением|saygılarımla|iyi çalışmalar|üdvözlettel|cu (?:stimă|respect)|"
    r"此致|敬礼|祝好|顺祝商祺|谢谢[!！。]?|謝謝[!！。]?|祝[工生]\S{0,8}|敬具|"
    r"よろしくお願い(?:いた|致)?します。?|何卒.{0,20}|감사합니다\.?|trân "
    r"trọng)\s*[,，.!！。;]?\s*)$"
)
_CONTACT = re.compile(
    r"(?i)(?:\+\d[\d\s()/.-]{6,}\d|\(?\b0\d{1,4}\)?[\s/.-]\d{3,}[\d\s/.-]*|"
    r"\b\d{3}[-.\s]\d{3}[-.\s]\d{4}\b|"
    r"(?:^|\s)(?:tel|phone|fon|telefon|mobile?|cell|fax|tél|teléfono|móvil|web|"
    r"e-?mail|www|电话|手机|電話|传真|地址|邮箱|携帯|住所)\s*[.:：]|www\.|https?://|"
    r"[\w.+-]+@[\w-]+\.\w+|\b(?:gmbh|ltd|inc|llc|s\.?a\.?r?\.?l|s\.?p\.?a|b\.?v|"
    r"a\.?g|corp|pty|oy|ab|kg|e\.k)\b\.?|有限公司|株式会社|주식회사)"
)
_REACHABLE = re.compile(
    r"(?i)[\w.+-]+@[\w-]+\.\w+|www\.|https?://|\+\d[\d\s()/.-]{6,}\d|"
    r"(?:^|[\s|])(?:tel|phone|fon|telefon|mobile?|cell|fax|tél|t|m|电话|手机|電話)\s?[.:：]?\s?[+(]?\d"
)
# Two to four words, each beginning like a name, or a few Chinese, Japanese or Korean characters.
_NAME = re.compile(
    r"^\s*(?:(?:[^\W\d_a-z][\w.'’-]{0,25})(?:\s+(?:de|van|von|der|da|di|[^\W\d_a-z][\w.'’-]{0,25})){1,3}"
    r"|[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]{2,6}(?:[\s\u3000][\u3040-\u30ff\u4e00-\u9fff]{1,4})?)\s*,?\s*$"
)
MAX_SIGNATURE_LINES = 16


def without_banner(lines: list[str]) -> list[str]:
    """Lines without a gateway's warning at their top ("[EXTERNAL] This email originated ...")."""
    at = 0
    while at < len(lines) and at < 12:
        text = lines[at].strip()
        if text and not _BANNER.match(text[:400]):
            break
        at += 1
    return lines[at:] if any(line.strip() for line in lines[:at]) else lines


def without_signature(lines: list[str]) -> list[str]:
    """Lines without the signature, footers and legal notices at their end; may become empty."""
    kept = _without_delimited(_rstrip(lines))
    for _ in range(4):
        before = len(kept)
        for cut in _CUTS:
            kept = _rstrip(cut(kept))
        if len(kept) == before:
            break
    return kept


def _without_delimited(lines: list[str]) -> list[str]:
    """RFC 3676 section 4.3: "-- " on a line of its own begins the signature."""
    for at, line in enumerate(lines):
        if len(line) < 10 and _DELIMITER.match(line):
            after = sum(1 for rest in lines[at + 1 :] if rest.strip())
            if after <= MAX_SIGNATURE_LINES:
                return _rstrip(lines[:at])
    return lines


def _without_footer(lines: list[str]) -> list[str]:
    looked = 0
    for at in range(len(lines) - 1, -1, -1):
        if not lines[at].strip():
            continue
        looked += 1
        if looked > 6:
            break
        if len(lines[at]) < 400 and _is_footer(lines, at) and _only_small_after(lines, at):
            return _before_table(lines, at)
    return lines


def _is_footer(lines: list[str], at: int) -> bool:
    if _FOOTER.match(lines[at]):
        return True
    return at > 0 and not lines[at - 1].strip() and _SENT_WITH.match(lines[at]) is not None


def _only_small_after(lines: list[str], at: int) -> bool:
    """What follows a footer is a link or a contact line, not the sender going on."""
    after = [line for line in lines[at + 1 :] if line.strip()]
    return all(
        len(line) < 60 and (_CONTACT.search(line) or len(line.split()) <= 4) for line in after
    )


def _before_table(lines: list[str], at: int) -> list[str]:
    """NetEase draws its signature as a table of bars above its footer."""
    first = at
    for above in range(at - 1, max(at - 14, -1), -1):
        if lines[above].strip() in ("|", "| |", "||", "| | |"):
            first = above
    return _rstrip(lines[:first])


def _without_list_footer(lines: list[str]) -> list[str]:
    for at in range(len(lines) - 1, max(len(lines) - 10, 0), -1):
        if _LIST_RULE.match(lines[at].strip()) and _LIST_FOOTER.search(
            "\n".join(lines[at:])[:2000]
        ):
            return _rstrip(lines[:at])
    return lines


def _without_disclaimer(lines: list[str]) -> list[str]:
    for at in range(max(1, len(lines) - 60), len(lines)):
        if lines[at].strip() and not lines[at - 1].strip():
            paragraph = " ".join(line.strip() for line in lines[at : at + 4])[:400]
            if _DISCLAIMER.match(paragraph + "\n"):
                return _rstrip(lines[:at])
    return lines


def _without_box(lines: list[str]) -> list[str]:
    """A signature between two rules, as is the custom in Japan."""
    for at in range(max(1, len(lines) - MAX_SIGNATURE_LINES), len(lines)):
        if len(lines[at]) < 100 and _BOX.match(lines[at]):
            after = [line for line in lines[at + 1 :] if line.strip()]
            if (
                after
                and any(_CONTACT.search(line[:300]) for line in after)
                and all(len(line) < 100 for line in after)
            ):
                return _rstrip(lines[:at])
    return lines


def _without_contact(lines: list[str]) -> list[str]:
    """After a sign-off and a name, the block of titles, company and telephone numbers."""
    for at in range(len(lines) - 1, max(len(lines) - MAX_SIGNATURE_LINES, -1), -1):
        if len(lines[at]) > 60 or not _SIGN_OFF.match(lines[at]):
            continue
        name = next((n for n in range(at + 1, len(lines)) if lines[n].strip()), None)
        if name is None:
            return lines
        after = [line for line in lines[name + 1 :] if line.strip()]
        is_block = any(_CONTACT.search(line[:300]) for line in after)
        if after and is_block and all(len(line) < 120 for line in after):
            keeps_name = len(lines[name]) < 60 and not _CONTACT.search(lines[name])
            return _rstrip(lines[: name + 1] if keeps_name else lines[:name])
        return lines
    return lines


def _without_card(lines: list[str]) -> list[str]:
    """A last paragraph that begins with a name and holds telephone numbers or addresses.

    After a line that ends with a colon it is what the sender wants to tell: where to deliver.
    """
    begin = len(lines)
    while begin and lines[begin - 1].strip() and len(lines) - begin <= 9:
        begin -= 1
    card = lines[begin:]
    before = next((line for line in reversed(lines[:begin]) if line.strip()), "")
    if not 2 <= len(card) <= 9 or not before or before.rstrip().endswith((":", "：", ",", "，")):
        return lines
    if _SIGN_OFF.match(before) or not _NAME.match(card[0]) or max(map(len, card)) > 120:
        return lines
    has_contact = any(_REACHABLE.search(line) for line in card[1:])
    return _rstrip(lines[:begin]) if has_contact else lines


def _rstrip(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


_CUTS = (
    _without_list_footer,
    _without_footer,
    _without_disclaimer,
    _without_box,
    _without_contact,
    _without_card,
)
