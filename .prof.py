import cProfile,pstats
from channels.email.reading import *
H=b"From: a@b.cd\r\nSubject: x\r\n"
def htm(x): return H+b"Content-Type: text/html\r\n\r\n"+x
for x in [b"<ol>"+b"<li>a"*500000, b"<table>"+b"<tr><td>a<td>b"*200000, b"<p>On 5 Mar 2024 at 10:12 a wrote:</p><blockquote>x</blockquote>"*40000]:
    p=cProfile.Profile(); p.enable(); read_mail(htm(x),OwnMail()); p.disable(); pstats.Stats(p).sort_stats("tottime").print_stats(8)
