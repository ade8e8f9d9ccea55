from channels.email.reading import *
m=b"""From: Ada <ada@x.org>
To: support@shop.example
Subject: =?utf-8?Q?Re:_caf=C3=A9?=
Message-ID: <a@x>
Content-Type: text/plain; charset=utf-8

Hi, it is broken.

Thanks,
Ada

Sent from my iPhone

On Tue, 5 Mar 2024 at 10:12, Shop Support <support@shop.example>
wrote:

> Hello Ada
> what?
"""
print(read_mail(m,OwnMail()))
