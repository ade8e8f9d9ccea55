"""Pictures, files and voice messages in the widget."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import pytest
from aiohttp import web
from playwright.sync_api import Browser, Playwright, Route, expect
from sqlalchemy import select

from bot.tables import Attachment
from tests.e2e.conftest import CHROMIUM, Site, Visit, watch
from tests.e2e.widget_world import (
    bea_writes,
    message_count,
    named,
    picture,
    set_widget,
    wait_until,
    wait_until_stored,
)

pytestmark = pytest.mark.browser


def stored_files(site: Site) -> list[tuple[str, str, int]]:
    with site.sessions() as session:
        rows = session.scalars(select(Attachment).order_by(Attachment.id))
        return [(row.name, row.media_type, row.size_bytes) for row in rows]


def pixel(visit: Visit, selector: str) -> list[int]:
    """The colour that is really drawn in the middle of a canvas."""
    found: list[int] = visit.widget(selector).evaluate(
        "c => [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]"
    )
    return found


def test_pictures_and_files_go_out_by_the_button_and_come_back_after_a_reload(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    content = picture()
    ada.widget("input[type=file]").set_input_files(
        [named("tent.png", "image/png", content), named("bill.txt", "text/plain", b"29 EUR")]
    )
    assert ada.widget(".chosen .name").all_inner_texts() == ["tent.png", "bill.txt"]
    ada.say("The zip is torn")
    ada.widget(".picture canvas").wait_for()
    wait_until_stored(site, 1)
    assert stored_files(site) == [
        ("tent.png", "image/png", len(content)),
        ("bill.txt", "text/plain", 6),
    ]
    ada.page.reload()
    ada.widget(".picture canvas").wait_for()
    assert pixel(ada, ".picture canvas")[1:] == [90, 140, 255]
    expect(ada.widget(".file .name")).to_have_text(["bill.txt"])
    with ada.page.expect_download() as download:
        ada.widget(".file").click()
    assert download.value.path().read_bytes() == b"29 EUR"
    assert ada.bubbles() == ["The zip is torn"]
    assert ada.trouble == []


def test_a_picture_stays_as_it_is_drawn_when_its_upload_ends(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    uploads: list[Route] = []
    ada.page.route("**/chat/files", lambda route: uploads.append(route), times=1)
    ada.widget("input[type=file]").set_input_files(
        [named("tent.png", "image/png", picture()), named("bill.txt", "text/plain", b"29 EUR")]
    )
    with ada.page.expect_request("**/chat/files"):
        ada.say("The zip is torn")
    ada.widget(".unsent .picture canvas").evaluate("canvas => canvas.title = 'drawn once'")
    uploads[0].continue_()
    wait_until_stored(site, 1)
    expect(ada.widget(".message.own:not(.unsent)")).to_be_visible()
    assert ada.widget(".picture canvas").get_attribute("title") == "drawn once"
    with ada.page.expect_download() as download:
        ada.widget(".file").click()
    assert download.value.path().read_bytes() == b"29 EUR"


def test_a_picture_opens_large_and_escape_leads_back(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.widget("input[type=file]").set_input_files(named("a.png", "image/png", picture(900, 700)))
    ada.page.keyboard.press("Enter")
    ada.widget(".picture").click()
    ada.widget(".overlay canvas").wait_for()
    assert ada.widget(".overlay").get_attribute("aria-label") == "a.png"
    ada.page.keyboard.press("Escape")
    ada.widget(".overlay").wait_for(state="hidden")
    assert ada.widget(".panel").is_visible()


TRANSFER = """const transfer = (name, bytes) => {
  const data = new DataTransfer();
  const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  data.items.add(new File([content], name, {type: "image/png"}));
  return data;
};"""
PASTE = f"""(field, bytes) => {{ {TRANSFER}
  const clipboardData = transfer("shot.png", bytes);
  field.dispatchEvent(new ClipboardEvent("paste", {{clipboardData, bubbles: true}}));
}}"""
DROP = f"""(panel, bytes) => {{ {TRANSFER}
  const tell = (kind) => panel.dispatchEvent(new DragEvent(
    kind, {{dataTransfer: transfer("drop.png", bytes), bubbles: true, cancelable: true}}));
  tell("dragover");
  if (!panel.classList.contains("dropping")) throw new Error("nothing invites to drop");
  tell("drop");
}}"""


def test_files_are_taken_by_paste_and_by_drop(site: Site, visit: Callable[..., Visit]) -> None:
    ada = visit()
    ada.open_chat()
    content = base64.b64encode(picture()).decode()
    ada.widget("textarea").evaluate(PASTE, content)
    ada.widget(".panel").evaluate(DROP, content)
    assert ada.widget(".chosen .name").all_inner_texts() == ["shot.png", "drop.png"]
    ada.widget(".chosen .small").first.click()
    ada.widget(".send").click()
    wait_until(lambda: len(stored_files(site)) == 1)
    assert stored_files(site)[0][0] == "drop.png"


def test_an_upload_shows_how_far_it_is_and_can_be_cancelled(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.say("First")
    wait_until_stored(site, 1)
    session = ada.context.new_cdp_session(ada.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    session.send("Network.emulateNetworkConditions", slow)
    ada.widget("input[type=file]").set_input_files(
        named("large.png", "image/png", picture(noise=4_000_000))
    )
    ada.widget(".send").click()
    bar = ada.widget(".uploading progress")
    bar.wait_for()
    wait_until(lambda: 0 < float(bar.get_attribute("value") or 0) < 1)
    ada.widget(".uploading").get_by_role("button", name="Cancel").click()
    ada.widget(".uploading").wait_for(state="detached")
    session.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    ada.say("Second")
    wait_until_stored(site, 2)
    assert stored_files(site) == []
    assert ada.bubbles() == ["First", "Second"]


def test_a_file_that_waits_for_the_network_survives_a_reload(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.context.route("**/chat/files", lambda route: route.abort())
    ada.open_chat()
    ada.widget("input[type=file]").set_input_files(named("kept.png", "image/png", picture()))
    ada.say("Kept")
    ada.widget(".message.unsent .picture").wait_for()
    ada.page.reload()
    ada.widget(".message.unsent .picture").wait_for()
    assert message_count(site) == 0
    ada.context.unroute("**/chat/files")
    wait_until_stored(site, 1)
    ada.widget(".message.unsent").wait_for(state="detached")
    assert [name for name, _, _ in stored_files(site)] == ["kept.png"]
    assert ada.bubbles() == ["Kept"]


def test_a_file_that_is_too_large_is_refused_in_words(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.widget("input[type=file]").set_input_files(
        named("film.bin", "video/mp4", b"x" * (10 * 2**20 + 1))
    )
    assert "film.bin is too large: up to 10 MB fit" in ada.widget(".count").inner_text()
    assert ada.widget(".chosen").count() == 0


def test_a_page_disguised_as_a_picture_is_a_download_and_never_a_page(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    page = b"<html><script>alert(1)</script></html>"
    ada.widget("input[type=file]").set_input_files(named("cat.png", "image/png", page))
    ada.widget(".send").click()
    wait_until(lambda: len(stored_files(site)) == 1)
    assert stored_files(site)[0][1] == "text/html"
    ada.widget(".message:not(.unsent) .file").wait_for()
    with ada.page.expect_download() as download:
        ada.widget(".file").click()
    assert download.value.path().read_bytes() == page
    assert ada.trouble == []


# -- voice -----------------------------------------------------------------------------------


@pytest.fixture
def talking(playwright: Playwright) -> Iterator[Browser]:
    """A browser whose microphone hums, and that allows it to be used."""
    arguments = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", *arguments]
    )
    yield browser
    browser.close()


def test_a_voice_message_is_recorded_sent_and_played(site: Site, talking: Browser) -> None:
    context = talking.new_context(permissions=["microphone"])
    ada = Visit(context, context.new_page())
    watch(ada, site.url)
    ada.page.goto(f"{site.url}/shop/")
    ada.open_chat()
    ada.widget(".microphone").click()
    ada.widget(".recorder .time-left").get_by_text("0:01").wait_for()
    ada.widget(".recorder .send").click()
    wait_until(lambda: len(stored_files(site)) == 1)
    name, media_type, size = stored_files(site)[0]
    assert (name, media_type) == ("voice-message.webm", "audio/webm")
    assert size > 1000
    ada.widget(".message:not(.unsent) .player").wait_for()
    ada.page.reload()
    ada.widget(".player .play").click()
    ada.widget(".player.playing").wait_for()
    wait_until(lambda: float(ada.widget(".player progress").evaluate("bar => bar.value")) > 0.1)
    assert ada.trouble == []


def test_a_recording_can_be_thrown_away(site: Site, talking: Browser) -> None:
    context = talking.new_context(permissions=["microphone"])
    ada = Visit(context, context.new_page())
    ada.page.goto(f"{site.url}/shop/")
    ada.open_chat()
    ada.widget(".microphone").click()
    ada.widget(".recorder").get_by_role("button", name="Discard the recording").click()
    ada.say("Written instead")
    wait_until_stored(site, 1)
    assert stored_files(site) == []


def test_without_a_microphone_the_widget_says_what_to_do(
    site: Site, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.open_chat()
    ada.widget(".microphone").click()
    ada.widget(".count").get_by_text("allow it in the browser").wait_for()


def test_a_page_whose_policy_allows_no_pictures_still_shows_them(
    site: Site, visit: Callable[..., Visit], serve: Callable[[web.Application], str]
) -> None:
    async def page(_request: web.Request) -> web.Response:
        policy = f"default-src 'none'; script-src {site.url}; connect-src {site.url}"
        html = (
            "<!doctype html><title>x</title>"
            f'<script src="{site.url}/chat/widget.js" async></script>'
        )
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=html, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/", page)
    url = serve(app)
    set_widget(site, {"avatar": base64.b64encode(picture()).decode()})
    ada = visit()
    refused: list[str] = []
    ada.page.on("console", lambda told: refused.append(told.text))
    ada.page.goto(url)
    ada.open_chat()
    ada.widget(".mark canvas").wait_for()
    ada.widget("input[type=file]").set_input_files(named("tent.png", "image/png", picture()))
    ada.widget(".send").click()
    wait_until_stored(site, 1)
    bea_writes(site, "I see it")
    ada.wait_for_text("I see it")
    ada.page.reload()
    ada.widget(".panel").wait_for()  # it was open, so it opens again
    ada.widget(".picture canvas").wait_for()
    assert [told for told in refused if "Policy" in told and "favicon" not in told] == []


def test_an_inbox_that_takes_no_files_offers_no_button(
    site: Site, visit: Callable[..., Visit]
) -> None:
    set_widget(site, {"files": False})
    ada = visit()
    ada.open_chat()
    assert ada.widget(".attach").is_hidden()
    assert ada.widget(".microphone").is_hidden()
