"""Files of every kind become articles, or a reason why not."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import docx
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.knowledge import source_files
from bot.knowledge.readers import _READERS, read_file
from bot.knowledge.source_files import FileContents, ReadArticle, SourceFile, Unreadable, walk

SUFFIXES = sorted([*_READERS, ".exe", ""])


def read(folder: Path, name: str, content: str | bytes) -> FileContents:
    path = folder / name
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(raw)
    return read_file(SourceFile(path, name))


def only(contents: FileContents) -> ReadArticle:
    assert not contents.unreadable
    (article,) = contents.articles
    return article


def reason(contents: FileContents) -> str:
    assert not contents.articles
    (unreadable,) = contents.unreadable
    return unreadable.reason


def test_markdown_front_matter_is_understood(tmp_path: Path) -> None:
    text = "---\ntitle: Returns\nid: 360014\nlanguage: en-US\ntags: [a, b]\nurl: /r\n---\n\nBody."
    article = only(read(tmp_path, "x.md", text))
    assert article == ReadArticle("360014", "Returns", "Body.", "en", "/r", ("a", "b"))


def test_front_matter_that_is_no_yaml_is_read_line_by_line(tmp_path: Path) -> None:
    article = only(read(tmp_path, "x.md", "---\ntitle: Cash: yes or no?\nid: 7\n---\nBody."))
    assert (article.title, article.external_id) == ("Cash: yes or no?", "7")


def test_yaml_aliases_are_not_followed(tmp_path: Path) -> None:
    bomb = "---\na: &a [x,x]\nb: &b [*a,*a]\ntitle: Bomb\n---\nBody."
    assert only(read(tmp_path, "x.md", bomb)).title == "Bomb"


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    article = only(read(tmp_path, "x.md", "---\ntitle: !!python/name:os.system\n---\nBody."))
    assert "os.system" not in article.body


def test_an_article_without_front_matter_is_named_by_its_heading_or_file(tmp_path: Path) -> None:
    assert only(read(tmp_path, "a.md", "# Our hours\n\nDaily.")).title == "Our hours"
    article = only(read(tmp_path, "Return-an-item.md", "Daily."))
    assert (article.title, article.external_id) == ("Return an item", "Return-an-item")


def test_html_loses_its_menus_scripts_and_forms(tmp_path: Path) -> None:
    page = (
        "<html lang=de><head><title>T</title><style>x{}</style></head><body><nav>Menu</nav>"
        "<main><h1>Returns</h1><p>Within <b>60</b> days.</p><ul><li>boots</li></ul>"
        "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>"
        "<script>alert(1)</script></main><footer>Imprint</footer></body></html>"
    )
    article = only(read(tmp_path, "x.html", page))
    assert (article.title, article.language) == ("Returns", "de")
    assert "Within 60 days." in article.body
    assert "- boots" in article.body
    assert "| 1 | 2 |" in article.body
    assert not any(word in article.body for word in ("Menu", "alert", "Imprint", "x{}"))


def test_text_of_a_page_is_no_markup(tmp_path: Path) -> None:
    article = only(read(tmp_path, "x.html", "<p># not a heading, *no* [link](x) &lt;b&gt;</p>"))
    assert article.body == r"\# not a heading, \*no\* \[link\](x) \<b\>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_chinese_text_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    text = "退货说明\n\n您可以在六十天内退货，运费由我们承担。"
    assert "六十天内退货" in only(read(tmp_path, "x.txt", text.encode(encoding))).body


def test_western_text_is_read_in_windows_encoding(tmp_path: Path) -> None:
    article = only(read(tmp_path, "x.txt", "Das Café öffnet um 9 – täglich.".encode("cp1252")))
    assert article.body == "Das Café öffnet um 9 – täglich."


def test_a_word_file_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Returns", 1)
    document.add_paragraph("Within 60 days.")
    document.add_paragraph("boots", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["Country", "Costs", "Norway", "8.95"], strict=True):
        cell.text = text
    stream = io.BytesIO()
    document.save(stream)
    article = only(read(tmp_path, "x.docx", stream.getvalue()))
    assert "# Returns" in article.body
    assert "- boots" in article.body
    assert "| Norway | 8.95 |" in article.body


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * (source_files.MAX_BYTES * 6))
    assert "unpacks to" in reason(read(tmp_path, "x.docx", stream.getvalue()))


def test_a_pdf_is_read(tmp_path: Path) -> None:
    assert (
        "Returns within sixty days"
        in only(read(tmp_path, "x.pdf", pdf("Returns within sixty days."))).body
    )


def test_a_pdf_with_a_password_is_refused(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Secret.")))
    writer.encrypt("secret", algorithm="RC4-128")
    stream = io.BytesIO()
    writer.write(stream)
    assert "password" in reason(read(tmp_path, "x.pdf", stream.getvalue()))


@pytest.mark.parametrize("header", ["question,answer", "Q;A", "title\tbody"])
def test_rows_of_questions_and_answers_become_articles(tmp_path: Path, header: str) -> None:
    delimiter = next(one for one in ",;\t" if one in header)
    contents = read(tmp_path, "faq.csv", f"{header}\nOpen?{delimiter}Daily.\n")
    assert only(contents) == ReadArticle("faq#2", "Open?", "Daily.")


@pytest.mark.parametrize("title", ["Ghent", "Ghent: Open?"])
def test_a_title_and_a_question_head_an_article_once(tmp_path: Path, title: str) -> None:
    row = json.dumps({"id": 5, "title": title, "question": "Open?", "answer": "Daily."})
    assert only(read(tmp_path, "faq.jsonl", row)).title == "Ghent: Open?"


def test_a_row_without_an_answer_is_named(tmp_path: Path) -> None:
    contents = read(tmp_path, "faq.csv", "id,question,answer\n1,Open?,Daily.\n2,Closed?,\n")
    assert [one.external_id for one in contents.articles] == ["1"]
    assert contents.unreadable[0].path.endswith("faq.csv#3")


def test_json_lines_become_articles_and_broken_ones_are_named(tmp_path: Path) -> None:
    row = json.dumps({"id": 5, "q": "Open?", "a": "Daily.", "lang": "en"})
    contents = read(tmp_path, "faq.jsonl", f"{row}\n{{broken\n")
    assert contents.articles == [ReadArticle("5", "Open?", "Daily.", "en")]
    assert contents.unreadable[0].reason == "the line is no JSON"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.md", b"", "empty"),
        ("a.md", b"---\ntitle: x\n---\n", "no text"),
        ("a.txt", bytes(range(256)) * 4, "binary"),
        ("a.pdf", b"%PDF-1.4 broken", "damaged"),
        ("a.docx", b"no zip at all", "no Word file"),
        ("a.csv", b"x,y\n1,2\n", "names no columns"),
        ("a.exe", b"MZ", "not read"),
    ],
)
def test_what_cannot_be_read_has_its_reason(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    assert expected in reason(read(tmp_path, name, content))


def test_a_file_that_is_too_large_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_files, "MAX_BYTES", 10)
    assert "larger than" in reason(read(tmp_path, "a.md", "more than ten bytes"))


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(suffix=st.sampled_from(SUFFIXES), raw=st.binary(max_size=600) | st.text().map(str.encode))
def test_no_bytes_under_any_name_break_the_reading(tmp_path: Path, suffix: str, raw: bytes) -> None:
    contents = read(tmp_path, f"any{suffix}", raw)
    assert contents.articles or contents.unreadable
    assert all("\x00" not in article.body for article in contents.articles)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(at=st.integers(0, 2000), noise=st.binary(min_size=1, max_size=30))
def test_a_damaged_pdf_or_word_file_does_not_break_the_reading(
    tmp_path: Path, at: int, noise: bytes
) -> None:
    for name, sound in (("a.pdf", pdf("Returns.")), ("a.docx", EMPTY_DOCX)):
        place = at % len(sound)
        contents = read(tmp_path, name, sound[:place] + noise + sound[place + len(noise) :])
        assert contents.articles or contents.unreadable


def test_a_folder_is_walked_without_hidden_files_and_links_that_lead_out(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "secret.md"
    (root / "sub" / ".git").mkdir(parents=True)
    outside.write_text("secret")
    for name in ("b.md", "sub/a.md", ".hidden.md", "sub/.git/c.md"):
        (root / name).write_text("text")
    (root / "link.md").symlink_to(outside)
    found = list(walk(root))
    assert [one.name for one in found if isinstance(one, SourceFile)] == ["b.md", "sub/a.md"]
    assert [one.reason for one in found if isinstance(one, Unreadable)] == [
        "it is a link that leads out of the folder"
    ]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    (missing,) = walk(tmp_path / "nothing")
    assert isinstance(missing, Unreadable)


def pdf(text: str) -> bytes:
    """A PDF of one page with one line, written by hand."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    raw, offsets = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, start=1):
        offsets.append(len(raw))
        raw += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    tail = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(raw)
    return raw + b"xref\n0 6\n0000000000 65535 f \n" + table + tail


def _empty_docx() -> bytes:
    stream = io.BytesIO()
    docx.Document().save(stream)
    return stream.getvalue()


EMPTY_DOCX = _empty_docx()
