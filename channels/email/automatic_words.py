"""What automatic mails say, by language: their subjects and their phrases.

Wording is only ever one signal beside others (see `automatic`): people write about their
vacations too.
"""

from __future__ import annotations

import re

# A program puts these before the subject of what it answers; a person's "Re:" stands before them.
AUTO_SUBJECT = re.compile(
    r"(?i)^\s*[\[【(*]*(?:"
    r"auto(?:matic|mated)?[\s_-]*(?:re(?:ply|sponse|sponder)|answer)|autoreply|auto\s?:|out[\s-]of[\s-](?:the[\s-])?office(?:[\s-]+auto\w*)?(?:[\s-]*reply)?|ooo|"
    r"vacation (?:reply|message|response|notice)|away (?:from my mail|message)|"
    r"automatische (?:antwort|e?-?mail-?antwort|abwesenheits\w*)|abwesenheits(?:notiz|meldung|nachricht|assistent|benachrichtigung)|abwesend|abwesenheit|automatische rückantwort|auto-?antwort|"
    r"r[ée]ponse automatique|absence(?: du bureau)?|message d['’]absence|réponse d['’]absence|"
    r"respuesta autom[áa]tica|fuera de (?:la )?oficina|ausencia|risposta automatica|fuori (?:sede|ufficio)|"
    r"resposta autom[áa]tica|fora do escrit[óo]rio|aus[êe]ncia tempor[áa]ria|automatisch antwoord|automatisch(?:e)? (?:reactie|beantwoord)|afwezig(?:heid)?\w*|"
    r"autosvar|automatiskt svar|frånvaro\w*|automatisk svar|fravær\w*|automaattinen vastaus|poissa(?:olo)?\w*|"
    r"automatyczna odpowied[źz]|odpowied[źz] automatyczna|autoodpowied[źz]|automatick[áa] odpov[ěe]ď|automaticky generovaná odpověď|"
    r"автоматический ответ|автоответ(?:чик)?|автоматична відповідь|otomatik (?:yan[ıi]t|cevap)|ofis dışında|automatikus (?:válasz|üzenet)|răspuns automat|"
    r"αυτόματη απάντηση|自动回复|自動回覆|自动答复|自動回復|自動返信|自動応答|不在(?:通知|連絡)|外出中|자동\s?(?:회신|응답|답장)|부재중|trả lời tự động|balasan otomatis|jawapan automatik|ตอบกลับอัตโนมัติ|رد تلقائي|الرد التلقائي|מענה אוטומטי|תשובה אוטומטית"
    r")[\s\])】*]*(?:[:：\-–—|(/]|$|\bre\b)"
)
AWAY_PHRASE = re.compile(
    r"(?i)(?:"
    r"\bi(?:['’]?m| am)(?: currently| presently)? (?:out of (?:the )?(?:office|town|country)|away (?:from|on|until)|on (?:annual |parental |maternity |paternity |sick )?(?:leave|vacation|holiday)|traveling|travelling|not in the office|not available until)|"
    r"\bi (?:will|shall) be (?:out|away|back|on (?:leave|vacation|holiday)|unavailable|returning)\b|out of (?:the )?office (?:until|from|through|and)|(?:limited|no|intermittent) access to (?:my )?e-?mails?|"
    r"thank you for your (?:e-?mail|message)\W{1,4}(?:i am|i['’]m|our office|we are closed)|our offices? (?:is|are|will be) closed|for urgent (?:matters|issues|requests)|in urgent cases|"
    r"bin (?:ich )?(?:derzeit|zurzeit|zur zeit|momentan|aktuell|bis|vom|ab)?.{0,40}(?:nicht (?:im (?:büro|hause?)|erreichbar|am arbeitsplatz)|abwesend|im urlaub|außer haus|wieder (?:im büro|erreichbar|da))|"
    r"(?:ich|wir) (?:bin|sind).{0,30}(?:abwesend|nicht im (?:büro|haus)|im urlaub|außer haus)|in dringenden (?:fällen|angelegenheiten)|(?:ihre|deine) (?:e-?mail|nachricht) wird nicht (?:weitergeleitet|gelesen)|"
    r"je suis (?:actuellement )?(?:absent|en congés?|en vacances|en déplacement)|actuellement absente?|absente? du bureau|de retour (?:au bureau )?le|en cas d['’]urgence|serai de retour|"
    r"(?:estoy|estaré|me encuentro)(?: actualmente)? (?:fuera|ausente|de vacaciones|de baja)|fuera de la oficina|acceso limitado a mi correo|para (?:asuntos|temas) urgentes|en caso de urgencia|"
    r"sono (?:attualmente )?(?:fuori|assente|in ferie)|sarò (?:assente|di ritorno)|per (?:urgenze|comunicazioni urgenti)|estou (?:ausente|de férias|fora)|estarei (?:ausente|de volta|fora)|em caso de urgência|"
    r"(?:ik ben|momenteel).{0,30}(?:afwezig|niet (?:aanwezig|op kantoor|bereikbaar)|met vakantie|op vakantie)|voor dringende|(?:jag är|är).{0,20}(?:på semester|inte på kontoret|ledig|tjänstledig|föräldraledig)|åter på kontoret|"
    r"jeg er (?:på ferie|ikke på kontoret|ude af|bortreist|fraværende)|olen (?:lomalla|poissa|vuosilomalla)|palaan (?:töihin|lomalta)|przebywam na urlopie|jestem (?:poza biurem|na urlopie|nieobecn)|nieobecn\w+ w biurze|w (?:pilnych|nagłych)|"
    r"(?:jsem|nejsem|budu).{0,30}(?:mimo kancelář|na dovolené|v kanceláři|nepřítom)|я (?:сейчас )?(?:нахожусь )?в отпуске|(?:буду|меня) (?:отсутств|не будет)|отсутствую на рабочем|вернусь|я у відпустці|"
    r"(?:ofis dışındayım|izindeyim|yıllık izin)|szabadságon vagyok|nem vagyok az irodában|sunt (?:în concediu|plecat)|βρίσκομαι εκτός|λείπω|"
    r"(?:我|本人)(?:目前|现在|現在|正在|将|將|已)?.{0,12}(?:休假|外出|出差|度假|不在办公室|不在辦公室|请假|請假|年假|产假)|(?:无法|無法|不能|未能)(?:及时|及時|立即|马上)?.{0,6}(?:回复|回覆|答复|查看)|(?:休假|出差|度假)(?:期间|中|期間)|急事请(?:联系|致电|拨打)|如有(?:紧急|急事|緊急)|尽快(?:给您)?回复|儘快回覆|"
    r"(?:ただいま|現在|誠に勝手ながら).{0,30}(?:不在|外出|休暇|休業|出張)|(?:休暇|休業|出張)(?:中|をいただ|とさせて)|不在(?:に|と|の|にして)|戻り次第|(?:휴가|출장|부재)\s?중|자리를 비|돌아와서|급한 (?:용무|경우)|"
    r"đang (?:nghỉ phép|đi công tác|vắng mặt)|sedang (?:cuti|tidak berada)|ลาพักร้อน|ไม่อยู่ที่สำนักงาน|(?:خارج المكتب|في إجازة)|(?:אני|הנני) (?:בחופשה|מחוץ למשרד|נמצא)"
    r")"
)
RECEIVED_PHRASE = re.compile(
    r"(?i)(?:"
    r"(?:we(?:['’]ve| have)?|i have) received your (?:e-?mail|message|request|inquiry|enquiry|mail|ticket|support)|your (?:e-?mail|message|request|inquiry|ticket|case)(?: \S+){0,4} (?:has been|was) (?:received|created|registered|logged|opened)|"
    r"(?:a )?(?:support )?(?:ticket|case)(?: has been| was)? (?:created|opened|number|id)\b|thank(?:s| you) for (?:contacting|reaching out|writing to|getting in touch)|will (?:get back|respond|reply) to you (?:as soon|within|shortly)|"
    r"(?:ihre|deine) (?:anfrage|nachricht|e-?mail)(?: \S+){0,6} (?:eingegangen|erhalten|registriert)|(?:haben|habe) (?:ihre|deine) (?:anfrage|nachricht|e-?mail) erhalten|vielen dank für ihre (?:anfrage|nachricht|e-?mail|kontaktaufnahme)|ticketnummer|schnellstmöglich|"
    r"(?:avons|ai) bien reçu votre|votre (?:demande|message) a (?:bien )?été|dans les (?:plus brefs|meilleurs) délais|hemos recibido su|(?:su|tu) (?:solicitud|mensaje|consulta) ha sido|le (?:responderemos|contestaremos)|abbiamo ricevuto|recebemos (?:a )?sua|"
    r"(?:we hebben|wij hebben) uw (?:bericht|e-?mail|vraag) ontvangen|(?:您的|你的)(?:邮件|來信|来信|請求|请求|郵件|咨询)(?:已|我們已|我们已)?.{0,6}(?:收到|受理)|(?:已|已经)收到(?:您|你)的(?:邮件|来信|來信)|我们(?:会|将).{0,10}(?:回复|联系)|"
    r"お問い?合わせ(?:を|いただき|ありがとう).{0,30}|受け?付けました|受付(?:番号|完了)|접수되었습니다|문의해?\s?주셔서|мы получили ваш|ваш(?:е|а)? (?:запрос|обращение|письмо|заявка) (?:получен|принят|зарегистрирован)"
    r")"
)
MACHINE_PHRASE = re.compile(
    r"(?i)(?:"
    r"(?:this|it) is an? (?:automatic(?:ally)?|auto|automated|system)[\s-]?(?:generated)?[\s-]?(?:e-?mail|message|reply|response|notification|mail)|(?:automatically|system|auto)[\s-]generated (?:e-?mail|message|reply|response)|this (?:e-?mail|message|mailbox|inbox) (?:was|is|has been) (?:sent automatically|automatically|not monitored|unmonitored|unattended)|"
    r"(?:please )?(?:do not|don['’]t) (?:reply|respond) (?:directly )?to this (?:e-?mail|message|mail)|replies to this (?:e-?mail|message|address) (?:are|will) not|no[\s-]?reply|"
    r"(?:dies(?:e|es)?|hierbei).{0,30}automatisch (?:generierte|erstellte|erzeugte|versendete)|automatisch (?:generiert|erstellt|erzeugt|versendet|verschickt)|bitte antworten sie nicht|nicht auf diese (?:e-?mail|nachricht)|"
    r"(?:message|e-?mail|courriel|réponse) (?:envoyé |généré |est )?(?:automatique|automatiquement)|(?:merci de )?ne pas répondre|ne répondez pas|(?:mensaje|correo|respuesta) (?:generado |enviado |es )?autom[áa]tic|(?:por favor,? )?no respond[ae]|no conteste|"
    r"(?:messaggio|e-?mail|risposta) (?:generat[ao] )?automatic|non rispondere|(?:mensagem|e-?mail|resposta) (?:gerad[ao] )?autom[áa]tic|não respond|automatisch gegenereerd|niet (?:te )?(?:beantwoorden|antwoorden)|automatiskt genererat|svara inte på|"
    r"automatycznie wygenerowan|(?:prosimy )?nie odpowiada[ćj]|автоматически|не отвечайте|otomatik olarak|(?:自动|自動)(?:发送|發送|回复|回覆|生成|发出|发信)|系统(?:自动|邮件|發送)|请勿(?:直接)?回复|請勿(?:直接)?回覆|(?:自動(?:送信|返信|配信|的に))|返信(?:しないで|できません|いただいても)|(?:발신\s?전용|자동\s?(?:발송|생성|응답))|회신(?:하지|되지)"
    r")"
)
CHALLENGE_PHRASE = re.compile(
    r"(?i)(?:"
    r"(?:confirm|verify|prove|authenticate)\b.{0,80}\b(?:you are (?:a )?(?:human|real|person|not a)|your (?:e-?mail )?address|that you sent|yourself as a (?:legitimate|real))|(?:click|follow|reply).{0,60}(?:so that|in order|to have) your (?:message|e-?mail).{0,30}(?:be )?(?:deliver|approved|released)|"
    r"(?:message|e-?mail) (?:is|was|has been|will be) (?:being )?(?:held|quarantined|blocked).{0,80}(?:until|confirm|verif|approv)|approved senders? list|(?:guest|allow|white)\s?list.{0,60}(?:click|reply|link)|add (?:yourself|you) to (?:my|the) (?:guest|approved|allowed) (?:list|senders)|"
    r"spam\s?arrest|boxbe|challenge[\s/-]response|(?:bestätigen sie).{0,60}(?:absender|mensch)|confirmez.{0,60}expéditeur|请(?:点击|回复).{0,30}(?:验证|确认).{0,20}(?:发件人|投递)"
    r")"
)
BOUNCE_SUBJECT = re.compile(
    r"(?i)^\s*(?:\*+\s*)?(?:undeliver(?:able|ed)|(?:mail )?delivery (?:fail|status|has failed|problem|delayed|incomplete|error|report)|mail delivery (?:failed|system)|returned mail|failure notice|failed (?:delivery|mail)|"
    r"(?:mail|message) (?:delivery )?(?:status )?(?:could not be|not) delivered|non[\s-]?delivery|message (?:delivery )?(?:undeliverable|delay|not delivered|you sent blocked)|warning: (?:message|could not send)|delivery (?:notification|failure)|delivery status notification|mail system error|bounce|"
    r"rejected:|nondeliverable|unzustellbar|(?:zustellung|übermittlung) (?:fehlgeschlagen|nicht möglich)|nicht zustellbar|ihre nachricht (?:konnte|wurde) nicht|undelivered mail returned|rückläufer|mailzustellung|non remis|(?:é|e)chec de (?:la )?(?:remise|distribution|livraison)|"
    r"non distribuable|courrier retourné|no se (?:puede|pudo|ha podido) entregar|no entregado|devuelto|(?:error|fallo) (?:de|en la) entrega|mancato recapito|non recapitabile|não (?:foi )?entregue|falha na entrega|onbestelbaar|kan inte levereras|ej levererat|kunne ikke leveres|"
    r"niedostarcz|nie dostarczono|zwrot|nedoručitelná|не удалось доставить|недоставленное|не доставлено|teslim edilemedi|kézbesíthetetlen|退信|系统退信|(?:来自|來自).{0,30}退信|邮件(?:无法|未能|被)?(?:投递|退回|送达)|未送达|無法傳遞|无法送达|投递失败|配信(?:不能|エラー|失敗)|配達不能|未配信|メール(?:を|が)?配信できません|배달(?:되지|할 수)|반송)"
)
BOUNCE_PHRASE = re.compile(
    r"(?i)(?:"
    r"could ?n[o']t be delivered|(?:was|has) not (?:been )?delivered|(?:unable|not able|wasn['’]t able|failed) to deliver|undeliver(?:able|ed)|delivery (?:has )?(?:to the following|failed|to these)|did not reach|could not be reached|permanent (?:fatal )?errors?|"
    r"(?:following|these) (?:recipients?|address(?:es)?|addresses had).{0,40}(?:fail|error|reach|problem)|returned (?:to sender|below|mail)|user (?:unknown|\S{0,60} not listed|mailbox exceeds)|mailbox (?:is )?(?:unavailable|full|not found|does not exist)|no such (?:user|mailbox|recipient|address)|recipient (?:address )?rejected|address (?:rejected|not found)|"
    r"does not exist|host (?:or domain name )?not found|message (?:was )?(?:blocked|rejected|delayed)|will be (?:retried|tried again)|still (?:being )?retr|over quota|quota exceeded|"
    r"nicht zugestellt|unzustellbar|konnte nicht (?:zugestellt|übermittelt|ausgeliefert)|empfänger (?:unbekannt|nicht gefunden)|n['’]a pas (?:pu être|été) (?:remis|distribué|délivré|livré)|n['’]existe pas|destinataire.{0,30}(?:inconnu|introuvable)|"
    r"no (?:se )?(?:ha |pudo |puede |fue )?(?:podido )?(?:ser )?entrega(?:r|do|rse)|no existe|buzón (?:lleno|no)|non (?:è stato|può essere) (?:consegnat|recapitat)|não (?:foi|pôde ser) entregue|niet (?:worden )?(?:afgeleverd|bezorgd)|nie (?:został|mogła?|można) .{0,20}dostarcz|не (?:была|может быть|удалось) доставл?|"
    r"退信|退回|(?:无法|未能|不能)(?:投递|送达|发送|送達)|(?:地址|用户|收件人|邮箱)不存在|收件人.{0,12}(?:错误|不存在|拒收|满)|无法傳遞|配信できません|配信(?:不能|に失敗)|届けられません|宛先不明|ユーザー?が?見つかりません|전송(?:에 실패|되지)|배달(?:되지|할 수 없)"
    r")"
)
READ_SUBJECT = re.compile(
    r"(?i)^\s*(?:read|not read|gelesen|ungelesen gelöscht|lu|non lu|leído|no leído|letto|lida?o?|gelezen|läst|læst|lest|luettu|przeczytane|přečteno|прочитано|okundu|已读|已讀|未读|开封済み|開封済み|읽음|read receipt|return receipt|empfangsbestätigung|lesebestätigung|accusé de (?:lecture|réception)|confirmación de lectura|conferma di lettura|bestätigung|leesbevestiging|已读回执|閱讀回條|開封確認)\s*[:：(]"
)
READ_PHRASE = re.compile(
    r"(?i)(?:was read on|has been (?:read|displayed|opened)|wurde (?:am )?.{0,40}(?:gelesen|geöffnet|angezeigt)|a été (?:lu|ouvert|affiché)|fue leído|ha sido (?:leído|mostrado)|è stato (?:letto|visualizzato)|return receipt|read receipt|this (?:is a )?receipt|lesebestätigung|已(?:被)?(?:阅读|阅|读|閱讀)|開封(?:され|しました)|was deleted without being read|ungelesen gelöscht)"
)
NOTICE_SUBJECT = re.compile(
    r"(?i)(?:\b(?:newsletter|verification code|security (?:alert|code)|one-time|password reset|reset your password|order confirmation|payment (?:received|receipt|confirmation)|your (?:receipt|invoice|order|subscription|statement|bill|weekly|monthly|daily)\b|"
    r"shipping (?:confirmation|notification)|has shipped|tracking (?:number|update)|welcome to|sign-?in|login (?:alert|attempt)|build (?:failed|passed|succeeded)|digest|weekly (?:report|summary|digest)|cron <|\[\w+\] \(\w+-\d+\)|alert:|notification|reminder|% off|sale\b|invitation:|"
    r"bestellbestätigung|versandbestätigung|ihre (?:rechnung|bestellung|sendung)|zahlungsbestätigung|confirmation de commande|votre (?:facture|commande)|confirmación de pedido|su (?:factura|pedido)|facture|rechnung)\b|"
    r"验证码|驗證碼|订单(?:确认|通知)|账单|發票|发票|通知|提醒|ご注文(?:確認|ありがとう)|認証コード|お知らせ|メルマガ)"
)
UNSUBSCRIBE_PHRASE = re.compile(
    r"(?i)(?:unsubscribe (?:here|from|at any|instantly)|(?:click|to) .{0,30}unsubscribe|(?:update|manage) (?:your )?(?:e-?mail )?(?:preferences|subscription)|view (?:this )?(?:e-?mail )?(?:in (?:your )?browser|online)|you(?:['’]re| are) receiving this (?:e-?mail|message|because)|you received this (?:e-?mail|message) because|"
    r"newsletter (?:abbestellen|abmelden)|vom newsletter|im browser (?:ansehen|öffnen|anzeigen)|se désabonner|se désinscrire|voir (?:cet e-?mail )?dans (?:le|votre) navigateur|darse de baja|cancelar (?:la |su )?suscripción|ver en (?:el |su )?navegador|annulla iscrizione|cancellati|cancelar inscrição|afmelden|uitschrijven|avregistrera|wypisz|отписаться|退订|取消订阅|取消訂閱|配信(?:停止|解除)|수신\s?거부)"
)
