import time, resource, os, sys
from channels.email.reading import *
from channels.email.threading_tokens import ThreadTokens
OWN=OwnMail(("s@x.org",),ThreadTokens(b"k"*32))
M=1024*1024
H=b"From: a@b.cd\r\nSubject: x\r\n"
def nest(d,inner=b"hi"):
    b=inner
    for i in range(d):
        b=b"Content-Type: multipart/mixed; boundary=\"b%d\"\r\n\r\n--b%d\r\n%s\r\n--b%d--\r\n"%(i,i,b,i)
    return H+b
def htm(x): return H+b"Content-Type: text/html\r\n\r\n"+x
def txt(x): return H+b"Content-Type: text/plain\r\n\r\n"+x
cases={
 "blank lines":txt(b"\n"*25*M), "lines":txt(b"ab cd\n"*(4*M)), "one line":txt(b"a"*25*M), "quotes":txt(b"> a\n"*(6*M)),
 "colons":txt(b"From: a@b.cd\n"*(2*M)), "on wrote":txt(b"On Mon, 5 Mar 2024 at 10:12 Ada <a@b.cd>\n"*500000),
 "attr-ish":txt((b"On 5 Mar 2024 10:12 "+b"a"*380+b"\n")*60000), "verbs":txt((b"wrote "*60+b":\n")*60000),
 "spaces":txt(b" "*25*M), "dashes":txt(b"-"*25*M), "dash lines":txt((b"-"*190+b"\n")*100000), "unders":txt((b"_"*150+b"\n")*100000),
 "lt":txt(b"<"*5*M), "sigoff":txt(b"thanks \n"*2*M),"nbsp":txt("\u00a0".encode()*8*M),"zw":txt("\u200b".encode()*8*M),
 "html deep":htm(b"<div>"*1*M), "html li":htm(b"<ol>"+b"<li>a"*500000), "html bq":htm(b"<blockquote>a"*200000), "html flatbq":htm(b"<p>On 5 Mar 2024 at 10:12 a wrote:</p><blockquote>x</blockquote>"*40000),
 "html table":htm(b"<table>"+b"<tr><td>a<td>b"*200000), "html tables":htm(b"<table><tr><td>"*50000), "html gq":htm(b"<div class=gmail_quote>"*50000), "html entities":htm(b"&amp;"*3*M), "html attr":htm(b"<p style='"+b"border-left:"*100000+b"'>x"),
 "html a":htm(b"<a href='http://x.org/y'>z</a>"*80000),"html open":htm(b"<"*5*M),"html spans":htm(b"<span>"*300000+b"x"),"html class":htm(b"<p class='"+b"gmail_quote"*100000+b"'>x"),
 "depth 20":nest(20), "depth 1000":nest(1000), "depth 20 25MB":nest(20,b"\r\n"+b"--b19x\n"*(3*M)),
 "parts":H+b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"+b"--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n"*500000, "100 files":H+b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"+(b"--b\r\nContent-Disposition: attachment; filename=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b"UEsDBAoAAAAA"*20000+b"\r\n")*100,
 "boundary":H+b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"+b"--a"*(8*M),
 "headers":b"X: y\r\n"*(4*M), "header long":b"Subject: "+b"a "*(10*M)+b"\r\n\r\nx", "header fold":b"Subject: a\r\n"+b" b\r\n"*(5*M), "to":b"To: "+b"a@b.cd, "*(2*M)+b"\r\n\r\nx","parens":b"From: "+b"("*1*M+b"\r\n\r\nx","from lt":b"From: "+b"<"*1*M+b"a@b>\r\n\r\nx","from quotes":b"From: "+b'"a\\'*200000+b"\r\n\r\nx", "refs":b"References: "+b"<a@b>"*M+b"\r\n\r\nx","refs2":b"References: "+b"a"*2*M+b"\r\n\r\nx","refs3":b"References: "+b"<"*M+b"\r\n\r\nx",
 "rfc2047":b"Subject: "+b"=?utf-8?B?4oKs?= "*200000+b"\r\n\r\nx","rfc2047b":b"Subject: "+b"=?utf-8?Q?"*100000+b"\r\n\r\nx","rfc2231":b"Content-Type: text/plain"+b";a*0*=x"*100000+b"\r\n\r\nx","rfc2231q":b'Content-Type: text/plain;a="'+b'\\";a="'*100000+b"\r\n\r\nx",
 "b64":H+b"Content-Transfer-Encoding: base64\r\n\r\n"+b"YWJj"*(6*M),"b64=":H+b"Content-Transfer-Encoding: base64\r\n\r\n"+b"YQ== "*(4*M),"qp":H+b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"+b"=41=\n"*(4*M),"uu":H+b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\n"+b"#0V%T\n"*(4*M),
 "tnef":H+b"Content-Type: application/ms-tnef\r\n\r\n"+b"\x78\x9f\x3e\x22\x00\x00"+b"\x01\x0c\x80\x07\x00\x01\x00\x00\x00a\x00\x00"*(2*M),
 "tnef2":H+b"Content-Type: application/ms-tnef\r\n\r\n"+b"\x78\x9f\x3e\x22\x00\x00"+b"\x01\x03\x90\x06\x00\xff\xff\x7f\x00"+b"\xff"*(10*M),
 "tnef3":H+b"Content-Type: application/ms-tnef\r\n\r\n"+b"\x78\x9f\x3e\x22\x00\x00"+b"\x01\x03\x90\x06\x00\x00\x00\x40\x00"+b"\x00\x00\x10\x00"+b"\x02\x10\x00\x10"*(1*M)+b"aa",
 "utf7":H+b"Content-Type: text/plain; charset=utf-7\r\n\r\n"+b"+AGE-"*(4*M),"idna":H+b"Content-Type: text/plain; charset=punycode\r\n\r\n"+b"a-"*(4*M),"gb":txt("订单".encode("gb18030")*(5*M)),"random":os.urandom(25*M),"zeros":b"\0"*25*M,"cr":txt(b"\r"*25*M),
 "dsn":H+b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"+b"Final-Recipient: x\r\n\r\n"*(1*M)+b"--b--","bounce text":b"From: mailer-daemon@x.y\r\nSubject: Undeliverable\r\n\r\n"+b"a@"*(5*M),"msgids":b"From: mailer-daemon@x.y\r\nSubject: Undeliverable\r\n\r\n"+b"Message-ID: <a@b>\n"*(1*M),
 "ooo":txt(b"bin derzeit "*(1*M)),"flowed":H+b"Content-Type: text/plain; format=flowed\r\n\r\n"+b"a \n"*(8*M),"flowed>":H+b"Content-Type: text/plain; format=flowed\r\n\r\n"+b">"*(20*M),"filename":H+b"Content-Disposition: attachment; filename=\""+b"a/"*30000+b"\"\r\n\r\nx","same names":H+b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"+b"--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n"*300,
}
only=sys.argv[1:]
import threading
for n,raw in cases.items():
    if only and n not in only: continue
    pid=os.fork()
    if pid==0:
        base=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        b=time.process_time(); m=read_mail(raw,OWN); t=time.process_time()-b
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if t>1 or peak-base>200*1024 or only: print(f"{n:14} {t:6.2f}s +{(peak-base)//1024} MB raw {len(raw)//M} vis {len(m.visible_text)}", flush=True)
        os._exit(0)
    _,st=os.waitpid(pid,0)
    if st: print("CRASH",n,st)
