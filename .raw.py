from channels.email.reading import *
from channels.email.explain import explain
from channels.email.threading_tokens import ThreadTokens
import json
OWN=OwnMail(("support@shop.example",),ThreadTokens(b"k"*32))
R=[]
R.append(b"""Return-Path: <ada@mail.example>
Received: from x
Content-Type: multipart/alternative; boundary="_000_X_"
From: Ada Lovelace <ada@mail.example>
To: Support <support@shop.example>
Subject: RE: Order
Thread-Topic: Order
Message-ID: <AM0PR1@eurprd.prod.outlook.com>
In-Reply-To: <abc@shop.example>
X-MS-Exchange-Organization-AuthAs: Internal
X-MS-Exchange-CrossTenant-AuthSource: x
MIME-Version: 1.0

--_000_X_
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

Hi,

Please cancel the order=2E Gr=FC=DFe

Ada Lovelace
Purchasing Manager
Example Ltd | 12 High Street | London
T +44 20 7946 0000 | www.example.com<https://www.example.com>

[cid:image001.png@01DA6F00.12345670]

From: Support <support@shop.example>
Sent: 05 March 2024 10:12
To: Ada Lovelace <ada@mail.example>
Subject: Order

[EXTERNAL]
Hello Ada

--_000_X_
Content-Type: text/html; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

<html><body><div class=3D"WordSection1"><p class=3D"MsoNormal">Hi,</p><p class=3D"MsoNormal">&nbsp;</p><p class=3D"MsoNormal">Please cancel the order. Gr=FC=DFe</p><p class=3D"MsoNormal">&nbsp;</p><p class=3D"MsoNormal">Ada Lovelace</p><p class=3D"MsoNormal">Purchasing Manager</p><p class=3D"MsoNormal"><img src=3D"cid:image001.png@01DA6F00.12345670"></p><div style=3D"border:none;border-top:solid #E1E1E1 1.0pt"><p class=3D"MsoNormal"><b>From:</b> Support &lt;support@shop.example&gt; <br><b>Sent:</b> 05 March 2024 10:12<br><b>To:</b> Ada<br><b>Subject:</b> Order</p></div><p>Hello Ada</p></div></body></html>
--_000_X_--
""")
R.append("""From: =?GB2312?B?1cXI/Q==?= <zhangsan@qq.com>
To: =?utf-8?B?c3VwcG9ydA==?= <support@shop.example>
Subject: =?gb18030?B?u9i4tKO6?= =?gb18030?B?tqm1pQ==?=
X-QQ-SSF: 00
X-HAS-ATTACH: no
X-QQ-BUSINESS-ORIGIN: 2
X-QQ-mid: webmail1t17
X-QQ-ReplyHash: 1
X-QQ-SENDSIZE: 520
Feedback-ID: webmail:qq.com:bgforeign:bgforeign7
MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"

好的，请尽快发货。



张三
zhangsan@qq.com



&nbsp;




------------------&nbsp;原始邮件&nbsp;------------------
发件人:                                                                                                                        "support"                                                                                    <support@shop.example&gt;;
发送时间:&nbsp;2024年3月5日(星期二) 上午10:12
收件人:&nbsp;"张三"<zhangsan@qq.com&gt;;

主题:&nbsp;订单



您好
""".encode())
R.append(b"""From: MAILER-DAEMON@mail.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: support+abc@shop.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4TpN.1709633520/mail.example"
Message-Id: <20240305@mail.example>

This is a MIME-encapsulated message.

--4TpN.1709633520/mail.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.example.

<bob@gone.example>: host mx said: 550 5.1.1 <bob@gone.example>: Recipient
    address rejected: User unknown (in reply to RCPT TO command)

--4TpN.1709633520/mail.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
X-Postfix-Queue-ID: 4TpN
X-Postfix-Sender: rfc822; support@shop.example
Arrival-Date: Tue,  5 Mar 2024 10:12:00 +0000 (UTC)

Final-Recipient: rfc822; bob@gone.example
Original-Recipient: rfc822;bob@gone.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.gone.example
Diagnostic-Code: smtp; 550 5.1.1 <bob@gone.example>: Recipient address
    rejected: User unknown

--4TpN.1709633520/mail.example
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <support@shop.example>
Message-ID: <orig@shop.example>
Subject: x

--4TpN.1709633520/mail.example--
""")
R.append(b"""From: "'Ada Lovelace' via Support" <support@shop.example>
Reply-To: Ada Lovelace <ada@mail.example>
X-Original-From: Ada Lovelace <ada@mail.example>
X-Google-Group-Id: 12
Precedence: list
Mailing-list: list support@shop.example; contact support+owners@shop.example
List-ID: <support.shop.example>
List-Post: <https://groups.google.com/a/shop.example/group/support/post>, <mailto:support@shop.example>
List-Unsubscribe: <mailto:googlegroups-manage+12+unsubscribe@googlegroups.com>
To: support@shop.example
Subject: Kettle
Content-Type: text/plain

Where is my kettle?

-- 
You received this message because you are subscribed to the Google Groups "Support" group.
To unsubscribe from this group and stop receiving emails from it, send an email to support+unsubscribe@shop.example.
""")
R.append(b"""From: ada@mail.example
To: support@shop.example
Subject: photos
Content-Type: multipart/mixed; boundary=Apple-Mail-1

--Apple-Mail-1
Content-Type: text/plain; charset=us-ascii

First part.

--Apple-Mail-1
Content-Type: image/jpeg; name=IMG_1.jpg
Content-Disposition: inline; filename=IMG_1.jpg
Content-Transfer-Encoding: base64

/9j/4AAQSkZJRgABAQAAAQ==
--Apple-Mail-1
Content-Type: text/plain; charset=us-ascii

Second part.

Sent from my iPhone

> On 5 Mar 2024, at 10:12, Support <support@shop.example> wrote:
> 
> Hello

--Apple-Mail-1--
""")
for r in R:
    x=explain("x",read_mail(r.replace(b"\n",b"\r\n"),OWN),OWN); print({k:v for k,v in x.items() if k in("from","automatic","reasons","bounce","visible_text","would","why","attachments")})
