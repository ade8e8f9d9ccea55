"""HTML mail becomes readable text, and its structure says what is quoted."""

from __future__ import annotations

import pytest

from channels.email.body import Body, Text, new_words
from channels.email.html_text import read_html

ATTRIBUTION = '<div>On Tue, Mar 5, 2024 at 10:12 AM Shop &lt;<a href="mailto:s@x.org">s@x.org</a>&gt; wrote:</div>'
FORMATS: dict[str, tuple[str, str | None]] = {
    "owa": (
        '<div>Yes.</div><div><br></div><hr style="display:inline-block;width:98%"><div id="x_divRplyFwdMsg"><b>From:</b> S<br></div><div>Hello</div>',
        "Yes.",
    ),
    "appendonsend": (
        '<div>Yes.</div><div id="appendonsend"></div><hr tabindex="-1"><div id="divRplyFwdMsg"><b>From:</b> x</div>',
        "Yes.",
    ),
    "ol2013 no id": (
        '<div class=WordSection1><p class=MsoNormal>Yes.</p><p class=MsoNormal>&nbsp;</p><div style="border:none;border-top:solid #B5C4DF 1.0pt"><p class=MsoNormal><b><span>From:</span></b><span> Shop [mailto:s@x.org] <br><b>Sent:</b> Tuesday, March 5, 2024 10:12 AM<br><b>To:</b> Ada<br><b>Subject:</b> Hi</span></p></div><p>Hello</p></div>',
        "Yes.",
    ),
    "ol ink": (
        "<p class=MsoNormal>Hi,</p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>line two</p>",
        "Hi,\n\nline two",
    ),
    "plain bq": (f"<p>Yes.</p>{ATTRIBUTION}<blockquote>Hello</blockquote>", "Yes."),
    "own indent": (
        '<p>I read on your page:</p><blockquote style="margin:0 0 0 40px;border:none">30 days</blockquote><p>Is that so?</p>',
        "I read on your page:\n\n30 days\n\nIs that so?",
    ),
    "gmail fwd": (
        '<div dir="ltr">Please check<br><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">---------- Forwarded message ---------<br>From: S<br></div><br>Hello</div></div>',
        "Please check",
    ),
    "gmail fwd bare": (
        '<div dir="ltr"><div class="gmail_quote"><div dir="ltr" class="gmail_attr">---------- Forwarded message ---------<br>From: S &lt;s@x.org&gt;<br>Date: Tue, 5 Mar 2024<br>Subject: Hi<br></div><br>Hello</div></div>',
        None,
    ),
    "apple bottom sig": (
        '<div>Yes.</div><div><br></div><div id="AppleMailSignature">Ada<br>Sent from my iPad</div><div><br>On Mar 5, 2024, at 10:12, S &lt;s@x.org&gt; wrote:<br><br></div><blockquote type="cite"><div>Hello</div></blockquote>',
        "Yes.",
    ),
    "yahoo bottom": (
        '<div class="yahoo_quoted">On.. wrote:<div>Hello</div></div><div>Below answer</div>',
        "Below answer",
    ),
    "samsung": (
        '<div>Yes.</div><div><br></div><div id="composer_signature"><div>Von meinem Galaxy gesendet</div></div><div>-------- Ursprüngliche Nachricht --------</div><div>Von: S &lt;s@x.org&gt; </div><div>Datum: 05.03.24  10:12  (GMT+01:00) </div><div>An: a@x.org </div><div>Betreff: Hi </div><div><br></div>Hallo',
        "Yes.",
    ),
    "br only": (
        "Yes.<br><br>On 5 Mar 2024 10:12, S &lt;s@x.org&gt; wrote:<br>&gt; Hello<br>&gt; there",
        "Yes.",
    ),
    "links": (
        '<p>See <a href="https://x.org/a">https://x.org/a</a> and <a href="mailto:s@x.org">s@x.org</a></p>',
        "See https://x.org/a and s@x.org",
    ),
    "nested list": ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
    "pre": ("<pre>line 1\nline 2</pre>", "line 1\nline 2"),
    "style": ("<style>p{}</style><title>x</title><p>Yes</p><script>1</script>", "Yes"),
    "preheader": ('<div style="display:none">hidden</div><p>Yes</p>', "Yes"),
    "outlook sig": (
        '<div>Yes.</div><div id="Signature"><div>Ada</div><div>CEO</div></div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg">From: x</div>',
        "Yes.",
    ),
    "all in sig": (
        '<div id="Signature"><div>My kettle is broken</div></div>',
        "My kettle is broken",
    ),
    "qq new": (
        '<div>好的</div><div><br></div><div><includetail><!--<![endif]--></includetail></div><div style="position: relative;"><div id="original-content"><blockquote><div style="font-size: 12px;">------------------ 原始邮件 ------------------</div><div>发件人: "S" &lt;s@x.org&gt;;</div></blockquote></div></div>',
        "好的",
    ),
    "exmail": (
        '<div>好的</div><div class="xm_mail_oringinal_describe">------------------ Original ------------------</div><div style="background:#efefef"><div><b>From: </b>S</div><div><b>Date: </b>Tue, Mar 5, 2024 10:12 AM</div><div><b>To: </b>a</div><div><b>Subject: </b>Hi</div></div><div>您好</div>',
        "好的",
    ),
    "ntes": (
        '<div>好的</div><div class="ntes-mailmaster-quote"><div>---- 回复的原邮件 ----</div><table><tr><td>发件人</td><td>S</td></tr></table><blockquote>您好</blockquote></div>',
        "好的",
    ),
    "table layout": ("<table><tr><td><p>Hello</p><p>World</p></td></tr></table>", "Hello\n\nWorld"),
    "hotmail old": (
        '<div>Yes.</div><hr id="stopSpelling">Date: Tue, 5 Mar 2024 10:12:00 +0000<br>From: s@x.org<br>To: a@x.org<br>Subject: Hi<br><br>Hello',
        "Yes.",
    ),
    "protonmail": (
        '<div>Yes.</div><div class="protonmail_quote">On .. wrote:<blockquote>Hello</blockquote></div>',
        "Yes.",
    ),
    "tb inline": (
        '<p>Hi</p><div class="moz-cite-prefix">On 5/3/24, S wrote:</div><blockquote type="cite">Colour?</blockquote><p>Blue</p><blockquote type="cite">Size?</blockquote><p>L</p>',
        "Hi\n\nBlue\n\nL",
    ),
    "outlook mobile ref": (
        '<div>Yes.</div><div class="ms-outlook-mobile-reference-message"><hr><div id="divRplyFwdMsg">x</div>Hello</div>',
        "Yes.",
    ),
    "zoho": (
        '<div>Yes.</div><div class="zmail_extra"><div>---- On Tue... wrote ---</div><blockquote>Hello</blockquote></div>',
        "Yes.",
    ),
    "bottom in gmail": (
        '<div dir="ltr"><div class="gmail_quote"><div class="gmail_attr">On x wrote:</div><blockquote class="gmail_quote">Hello</blockquote><div><br></div><div>Answer below</div></div></div>',
        "Answer below",
    ),
    "hr user": ("<div>Part one</div><hr><div>Part two</div>", "Part one\n\nPart two"),
    "gmail sig only dash": (
        '<div dir="ltr">Yes.<div><br></div>-- <br><div class="gmail_signature">Ada<br>CEO</div></div>',
        "Yes.",
    ),
    "div br div": ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_structure_is_read_of(name: str) -> None:
    source, wanted = FORMATS[name]
    page = read_html(source)
    visible = new_words(Body(texts=[Text(None, page)])).visible
    assert visible == (page.full if wanted is None else wanted)
