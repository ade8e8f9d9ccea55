"""The lines by which mail programs introduce what they quote or forward, in many languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MAX_ATTRIBUTION_CHARS = 420
MAX_ATTRIBUTION_LINES = 4

# "wrote", as the verb of an attribution line. Sources: the programs' own translations as they
# appear in mail; one line a language so that a reader can check their own.
_WROTE = (
    r"wrote|writes|a\s+[ée]crit|[ée]crit|schrieb|schreibt|geschrieben|"
    r"escribi[óo]|escribe|ha\s+scritto|scrive|escreveu|escreve|schreef|geschreven|"
    r"skrev|skriver|kirjoitti|napisał(?:\(a\)|a)?|pisze|nadesłał|napsal(?:\(a\)|a)?|píše|"
    r"napísal(?:\(a\)|a)?|пишет|написал(?:\(а\)|а)?|пише|написа|написав(?:\(ла\))?|"
    r"yazdı|írta|a\s+scris|έγραψε|napisao(?:/la)?|napisala|је\s+написао|rašė|rakstīja|kirjutas|"
    r"đã\s+viết|viết|menulis|เขียนว่า|เขียน|كتب(?:ت)?|כתב(?:ה|/ה)?|נכתב|מאת|تمت\s+كتابة|"
    r"نوشت|va\s+escriure|"
    r"idatzi\s+du|escribiu|ने\s+लिखा|"
    r"写道|寫道|写到|来信|書き(?:ました|込みました)|のメール|メッセージ|さんは書きました|"
    r"작성(?:하였습니다|했습니다)?|님이\s*씀|썼습니다|쓴\s*글"
)
# Words that begin such a line before the date.
_BEGIN = (
    r"On|Am|Le|El|Il(?:\s+giorno)?|Em|A|Op|Den|På|W\s+dniu|Dnia|Dne|Dňa|D[ňn]a|В|At|在|於|"
    r"Pe|La|În\s+data"
    r"|Στις|Den|Kl|Vào|Pada|Tanggal|ב-?|في|در|บน|เมื่อ|Data|U|Dana|V|El\s+dia|O|Ngày|Lúc"
)
_ADDRESS = r"[^\s<>()\[\]:;,\"']+@[^\s<>()\[\]:;,\"']+\.[^\s<>()\[\]:;,\"']+"
_TIME = re.compile(
    r"\d{1,2}\s?[:.時时h點点시]\s?\d{2}|\d{1,2}\s?(?:am|pm|AM|PM|a\.m\.|p\.m\.|Uhr|時|点|시)"
)
_DATE = re.compile(
    r"\b\d{4}\b|\d{4}\s?[-/.年년]|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\b\d{1,2}[./]\d{1,2}\."
)
_DAY = re.compile(r"\d")
_BRACKETED = re.compile(rf"[<(]\s*{_ADDRESS}\s*[>)]")
_HAS_ADDRESS = re.compile(_ADDRESS)
_VERB = re.compile(rf"(?i)(?<![^\W\d_])(?:{_WROTE})(?![^\W\d_])")
_CJK_VERB = re.compile(r"(?:写道|寫道|写到|来信|書き|のメール|작성|님이|썼습니다)")
_STARTS = re.compile(
    rf"(?i)^(?:{_BEGIN})[\s,:]*(?:[^\W\d_]{{1,14}}[\s.,]+(?:de\s+|den\s+|the\s+)?){{0,4}}"
    r"[\s(]*\d{1,4}"
)
_STARTS_DATE = re.compile(
    r"(?i)^(?:[^\W\d_]{2,12}[.,]{0,2}\s+)?(?:[^\W\d_]{3,12}\.?\s+)?\d{1,4}(?:[./年년-]|"
    r"\s+[^\W\d_]|일|日|,|\s)"
)
_QUOTING = re.compile(
    r"(?i)^(?:Quoting|Zitat von|Citando|Citação de|Citat fr[åa]n|Cytowanie|Mensagem de|"
    r"Цитат(?:а|ирование)|En réponse à|Citando a|Citeren)\b.{0,200}[:：]?$"
)
_NAME_ADDRESS = re.compile(rf"^[\"'“„]?[^<>:]{{0,80}}[<(\[]\s*(?:mailto:)?{_ADDRESS}")

_ORIGINAL = (
    r"Original\s*Message|Original\s*[Ee]-?mail|Reply\s*Message|Replied\s*Message|"
    r"Original\s*appointment|"
    r"Urspr(?:ü|ue)ngliche\s+Nachricht|Original-?Nachricht|Originalnachricht|"
    r"Message\s+(?:d['’]origine|original|initial|transféré|d'origine)|Courriel\s+original|"
    r"Mensaje\s+original|Mensagem\s+original|Messaggio\s+originale|Oorspronkelijk\s+bericht|"
    r"Origineel\s+bericht|Ursprungligt\s+meddelande|Originalmeddelande|Opprinnelig\s+melding|"
    r"Oprindelig\s+meddelelse|Alkuperäinen\s+viesti|Oryginalna\s+wiadomość|Wiadomość\s+oryginalna|"
    r"Původní\s+zpráva|Původní\s+e-?mail|Pôvodná\s+správa|Исходное\s+сообщение|"
    r"Оригинальное\s+сообщение|"
    r"Пересылаемое\s+сообщение|Пересланное\s+сообщение|ОрIгінальне\s+повідомлення|"
    r"Вихідне\s+повідомлення|"
    r"Orijinal\s+(?:Mesaj|ileti)|Özgün\s+ileti|Eredeti\s+üzenet|Mesaj\s+original|Izvorna\s+poruka|"
    r"Αρχικό\s+μήνυμα|原始邮件|原始郵件|原邮件|原始信件|原始訊息|回复的原邮件|"
    r"回复邮件|転送メッセージ|"
    r"元のメッセージ|原文|원본\s*(?:메일|메시지)|원본메일|Thư\s+gốc|Pesan\s+asli|"
    r"ข้อความต้นฉบับ|الرسالة\s+الأصلية|"
    r"הודעה\s+מקורית|Forwarded\s+(?:message|mail|by|email)|Forward\s+Message|"
    r"Begin\s+forwarded\s+message|"
    r"Weitergeleitete\s+Nachricht|Message\s+transféré|Mensaje\s+reenviado|Mensagem\s+encaminhada|"
    r"Messaggio\s+inoltrato|Doorgestuurd\s+bericht|Vidarebefordrat\s+meddelande|"
    r"Videresendt\s+melding|"
    r"Videresendt\s+meddelelse|Välitetty\s+viesti|Wiadomość\s+przekazana|Przekazana\s+wiadomość|"
    r"Přeposlaná\s+zpráva|Пересылаемое\s+письмо|İletilen\s+ileti|Yönlendirilen\s+ileti|"
    r"Továbbított\s+üzenet|"
    r"Mesaj\s+redirecționat|转发邮件信息|转发的?邮件|轉寄郵件|转发邮件|轉寄的郵件|"
    r"전달된\s*메일|전달된\s*메시지|Forwarded"
)
_SEPARATOR = re.compile(
    rf"(?i)^[\s*>]*(?:[-_=—–]{{2,}}|[-—–]\s?[-—–])\s*(?:{_ORIGINAL})\b.{{0,120}}$|"
    rf"^[\s*>]*[-_=—–]{{2,}}\s*(?:{_ORIGINAL}|Original)\s*[-_=—–]+\s*$"
)
_BEGIN_FORWARD = re.compile(
    r"(?i)^\*?(?:Begin forwarded message|Anfang der weitergeleiteten (?:Nachricht|E-?Mail)|"
    r"Début du message (?:transféré|réexpédié)|Inicio del mensaje reenviado|Inizio "
    r"messaggio inoltrato|"
    r"Início da mensagem (?:re)?encaminhada|Begin doorgestuurd bericht|Vidarebefordrat brev|"
    r"Початок пересланого повідомлення|Начало переадресованного сообщения|Начало "
    r"пересылаемого сообщения|"
    r"下面是被转发的邮件|以下是轉寄的郵件|以下是转发的邮件|"
    r"このメッセージは転送されました|転送されたメッセージ|"
    r"전달된 메시지의 시작|Rozpoczęcie przekazanej wiadomości)\s*[:：]?\*?$"
)
_FORWARDED = re.compile(
    r"(?i)forward|weitergeleitet|transféré|reenviado|encaminhad|inoltrat|doorgestuurd"
    r"|vidarebefordr|videresendt|välitetty|przekazan|přeposlan|пересыла|переслан|iletilen"
    r"|yönlendiril|továbbított|redirecționat|转发|轉寄|転送|전달"
)
# Lotus Notes: -----"Bea" <bea@...> wrote: -----
_NOTES = re.compile(rf"(?i)^-{{3,}}.{{2,160}}(?:{_WROTE})(?: am [\d.]+)?\s?:\s?-{{3,}}$")
_REPLY_ABOVE = re.compile(
    r"(?i)^[\s>*]*[#=\-–—_~]{1,10}.{0,12}(?:reply above this line|type your reply above|"
    r"antwort (?:bitte )?(?:oberhalb|über) dieser (?:zeile|linie)|répon(?:dre|dez|"
    r"se).{0,30}au-dessus de cette ligne|"
    r"(?:escriba|respond[ae]|escribe).{0,40}(?:por encima|encima) de esta línea|"
    r"rispond[ie].{0,40}sopra (?:di )?questa (?:linea|riga)|acima desta linha|boven deze "
    r"(?:regel|lijn)|"
    r"请在此(?:行|线)(?:以上|上方|之上).{0,10}回复|この行より上).{0,40}$|"
    r"^[\s>*]*(?:please )?(?:type your )?reply above this line[\s\-#:.]*$"
)
_RUN = re.compile(r"([-_=—–#~*>])\1{2,}")
_LONG_RULE = re.compile(r"^\s*(?:_{20,}|-{20,}|={20,}|\*{20,})\s*$")

_FIELD_LABELS = {
    "from": "From|Von|De|Da|Van|Från|Fra|Od|От|Від|Вiд|Gönderen|Kimden|Feladó|De la|Από|Lähettäjä|"
    "发件人|发送人|发送者|寄件者|寄件人|發件人|差出人|送信者|送信元|보낸\\s?사람|보낸이|Từ|Người "
    "gửi|Dari|จาก|من|מאת|Expéditeur|"
    "Remitente|Mittente|Absender|Afzender|Avsändare|Afsender|Avsender|Nadawca|Expeditor|"
    "Odesílatel|Šalje|De \\(From\\)|"
    "Отправитель|Kimden \\(From\\)|Saatja",
    "date": "Sent|Date|Sent at|Date sent|Sent on|Gesendet|Gesendet am|Datum|Envoyé|Envoyé le|"
    "Date d'envoi|Enviado|Enviado el|"
    "Enviado em|Enviada em|Enviada|Fecha|Fecha de envío|Inviato|Data|Verzonden|Skickat|"
    "Sendt|Wysłano|Wysłane|"
    "Odesláno|Odoslané|Отправлено|Дата|Надіслано|Gönderildi|Gönderme Tarihi|Gönderilme "
    "Tarihi|Gönderim|Tarih|Elküldve|Dátum|"
    "Küldve|Trimis|Lähetetty|Päivämäärä|Päiväys|Poslano|Στάλθηκε|Εστάλη|"
    "Ημερομηνία|发送时间|发送日期|发件时间|日期|时间|發送時間|寄件日期|"
    "傳送時間|送信日時|日時|日付|送信|보낸\\s?날짜|보낸\\s?시간|날짜|Ngày|Đã gửi|Tanggal|Dikirim|"
    "Terkirim|วันที่|ส่ง|تاريخ|التاريخ|أرسل|تم الإرسال|"
    "תאריך|נשלח|Saadetud|Nosūtīts|Išsiųsta",
    "to": "To|An|À|A|Para|Aan|Till|Til|Do|Komu|Кому|Alıcı|Kime|Címzett|Către|Vastaanottaja|"
    "Προς|Za|Prima|"
    "收件人|收件者|收信人|宛先|받는\\s?사람|받는이|Tới|Đến|Người nhận|Kepada|Ke|ถึง|إلى|אל|"
    "Empfänger|Destinataire|Destinatario|"
    "Destinatário|Ontvanger|Mottagare|Modtager|Odbiorca|Pour|Kellele",
    "cc": "Cc|CC|Kopie|Kopia|Kopi|Copie|Copia|Cópia|Копия|Копія|Bilgi|Másolatot kap|"
    "Kopio|抄送|抄送人|副本|참조|DW|UDW|Bcc|密送|"
    "Κοιν\\.|Reply-To|Reply to|Antwort an|Répondre à|Responder a|Organization|Importance|"
    "Priority|Priorität|Wichtigkeit|Attachments|"
    "Anlagen|Pièces jointes|附件|重要性|Resent-From|Resent-To|Vastaus|Kopija|نسخة|עותק",
    "subject": "Subject|Betreff|Objet|Asunto|Oggetto|Onderwerp|Assunto|Ämne|Emne|Temat|Předmět|"
    "Predmet|Тема|Konu|"
    "Tárgy|Subiect|Aihe|Θέμα|主题|主旨|主題|标题|件名|表題|제목|Chủ đề|Tiêu đề|Perihal|Subjek|"
    "เรื่อง|หัวเรื่อง|الموضوع|موضوع|נושא|Naslov|Teema|Tēma|Tema|Sujet",
}
_LABELLED = [
    (name, re.compile(rf"(?i)^[\s>*|]*(?:{labels})\s?\*?\s*[:：]\s*\*?(.*)$"))
    for name, labels in _FIELD_LABELS.items()
]
_BLOCK_LINES = 14


def normal(line: str) -> str:
    """A line without direction marks, quote marks, emphasis and surplus space."""
    text = line.replace("\xa0", " ").replace("&nbsp;", " ").replace("&gt;", ">")
    if not text.isascii():
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(text.split())


def is_attribution(text: str) -> bool:
    """True for "On ... Ada wrote:" and its like, with a time or an address as evidence."""
    return _attribution_strength(text) >= 2


def _attribution_strength(text: str) -> int:
    """0 no attribution; 1 only with quoted lines after it; 2 by itself."""
    line = normal(text).strip("*_- ")
    if not 8 <= len(line) <= MAX_ATTRIBUTION_CHARS:
        return 0
    if _QUOTING.match(line):
        return 2 if _HAS_ADDRESS.search(line) else 1
    has_colon = line.rstrip(' >*"”»-').endswith((":", "："))
    has_address = _HAS_ADDRESS.search(line) is not None
    if not has_colon:
        return 2 if has_address and _DATE.search(line) and _ends_with_verb(line) else 0
    has_time = _TIME.search(line) is not None
    has_date = _DATE.search(line) is not None
    begins = _STARTS.match(line) is not None
    begins_with_date = _STARTS_DATE.match(line) is not None
    has_verb = _VERB.search(line) is not None or _CJK_VERB.search(line) is not None
    if has_verb and (begins or begins_with_date or _NAME_ADDRESS.match(line)):
        if has_address and (has_time or has_date):
            return 2
        if has_time and (has_date or begins):
            return 2
        return 1 if (has_date or has_address or _DAY.search(line)) else 0
    if has_verb and has_time and _BRACKETED.search(line) and len(line) < 260:
        return 2
    if begins_with_date and has_address and has_time:
        return 2  # Gmail in Japanese, Yandex: a date, a name, an address and a colon
    if has_address and _NAME_ADDRESS.match(line) and (has_time or has_date) and len(line) < 200:
        return 2
    return 1 if has_verb and len(line) < 120 else 0


def _ends_with_verb(line: str) -> bool:
    return _VERB.search(line[-24:]) is not None or _CJK_VERB.search(line[-12:]) is not None


def find_attribution(lines: Sequence[str], at: int) -> tuple[int, int]:
    """How many lines from `at` make an attribution (0 for none), and how strong it is.

    Programs wrap the line at 72 columns, so up to four lines are read as one.
    """
    if not _may_begin(lines[at]):
        return 0, 0
    joined = ""
    best = (0, 0)
    for count in range(1, MAX_ATTRIBUTION_LINES + 1):
        if at + count > len(lines) or not lines[at + count - 1].strip():
            break
        line = lines[at + count - 1]
        if count > 1 and line.lstrip().startswith(">"):
            break
        joined = f"{joined} {line.strip()}" if joined else line.strip()
        if len(joined) > MAX_ATTRIBUTION_CHARS:
            break
        if "@" not in joined and not joined.rstrip(" >*_").endswith((":", "：")):
            continue
        strength = _attribution_strength(joined)
        if strength > best[1]:
            best = (count, strength)
        if strength == 2:
            break
    # The sender's last line right above an attribution is not part of it.
    if any(_is_whole(_join(lines, at + n, at + best[0])) for n in range(1, best[0])):
        return 0, 0
    return best


def _is_whole(text: str) -> bool:
    return not text.startswith(("<", "(", "[")) and _attribution_strength(text) == 2


def _join(lines: Sequence[str], begin: int, end: int) -> str:
    return " ".join(line.strip() for line in lines[begin:end])


def _may_begin(line: str) -> bool:
    """A cheap look before the patterns: an attribution begins with a letter, digit or "
    "quote mark."""
    text = line.lstrip()
    return bool(text) and len(text) <= MAX_ATTRIBUTION_CHARS and text[0] not in ">=_|#+/\\"


def is_separator(line: str) -> bool:
    """True for "-----Original Message-----", "Begin forwarded message:" and their like."""
    if not 4 <= len(line) <= 400 or not any(char.isalpha() for char in line):
        return False
    text = _RUN.sub(r"\1\1\1", normal(line))
    return bool(_SEPARATOR.match(text) or _BEGIN_FORWARD.match(text) or _NOTES.match(text))


def is_forward(line: str) -> bool:
    """True for the separators that stand above a forwarded mail and above no answered one."""
    if not is_separator(line):
        return False
    text = _RUN.sub(r"\1\1\1", normal(line))
    return bool(_BEGIN_FORWARD.match(text) or _FORWARDED.search(text))


def is_reply_above(line: str) -> bool:
    """True for a help desk's "Please type your reply above this line"."""
    if not 10 <= len(line) <= 200 or not any(char.isalpha() for char in line):
        return False
    return _REPLY_ABOVE.match(_RUN.sub(r"\1\1\1", normal(line))) is not None


def is_long_rule(line: str) -> bool:
    return 20 <= len(line) <= 200 and _LONG_RULE.match(line) is not None


def field_of(line: str) -> tuple[str, str] | None:
    """The kind and the value of a line such as "From: Ada"; None for any other line."""
    if len(line) > 1000 or not (":" in line[:40] or "：" in line[:40]):
        return None
    text = normal(line)
    for name, pattern in _LABELLED:
        if found := pattern.match(text):
            return name, found[1]
    return None


def header_block(lines: Sequence[str], at: int) -> int:
    """How many lines from `at` are the header of a quoted mail; 0 where there is none.

    "From: Berlin / To: Paris / Date: 3 March" is a customer's own list: a header names an
    address, or has a subject beside a date.
    """
    first = field_of(lines[at])
    if first is None or first[0] == "cc":
        return 0
    kinds: dict[str, str] = {}
    others = count = 0
    for offset in range(min(_BLOCK_LINES, len(lines) - at)):
        line = lines[at + offset]
        field = field_of(line)
        if field is not None:
            kinds.setdefault(field[0], field[1])
            count, others = offset + 1, 0
        elif not line.strip():
            others += 2 if kinds.keys() >= {"from", "subject"} else 1
        else:
            others += 1
        if others > 2:
            break
    return count if _is_header(kinds) else 0


def _is_header(kinds: dict[str, str]) -> bool:
    if "from" not in kinds or len(kinds) < 2:
        return False
    has_address = any("@" in kinds.get(kind, "") for kind in ("from", "to"))
    has_when = "date" in kinds and bool(_TIME.search(kinds["date"]) or _DATE.search(kinds["date"]))
    if "subject" in kinds:
        return has_address or has_when
    return has_when and has_address
