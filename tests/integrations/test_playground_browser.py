"""The playground in a real browser: by keyboard alone, errors at their place, links, markup, keys."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integrations.server_world import served

sync_api = pytest.importorskip("playwright.sync_api")
uvicorn = pytest.importorskip("uvicorn")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000
EVIL = "<img src=x onerror=alert(1)>"


@contextmanager
def listening(**settings: Any) -> Iterator[str]:
    """A server on a free port, in a thread of its own."""
    with served(**settings) as client:
        config = uvicorn.Config(client.app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            thread.join(0.02)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # A directory of its own, so that nothing of another browser is shared.
        found = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("browser")),
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            viewport={"width": 1440, "height": 1000},
        )
        found.set_default_timeout(PATIENCE)
        yield found
        found.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening() as found:
        yield found


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page with its first example; whatever the browser complains of fails the test."""
    found = browser.new_page()
    complaints: list[str] = []
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    found.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    found.goto(address)
    found.bring_to_front()
    settled(found)
    yield found
    found.close()
    # The console says of every answer 4xx that it came.
    assert [each for each in complaints if "status of 4" not in each] == []


def settled(page: Any) -> None:
    page.wait_for_selector("#grammar-status.good")
    page.wait_for_selector("#next-note:has-text('listed')")


def chips(page: Any) -> int:
    count: int = page.locator("#chips .chip").count()
    return count


def until(page: Any, holds: Callable[[], bool]) -> None:
    """Wait; the security policy of the page allows no predicates of its own."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < deadline, page.locator(".status").all_inner_texts()
        page.wait_for_timeout(20)


def focused(page: Any, attribute: str) -> str | None:
    found: str | None = page.evaluate(f"document.activeElement.getAttribute('{attribute}')")
    return found


def text(page: Any) -> str:
    return "".join(page.locator("#chips .chip:not(.next) .token").all_inner_texts())


def test_a_text_is_written_by_keyboard_alone(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(12):  # over the buttons to the tokens
        page.keyboard.press("Tab")
        if focused(page, "role") == "option":
            break
    assert "empty text" in (focused(page, "aria-label") or "")
    page.keyboard.press("ArrowDown")
    first = focused(page, "aria-label") or ""
    assert "model" in first and "conditional" in first and "exactly" in first
    page.keyboard.press("ArrowDown")
    assert focused(page, "aria-label") != first
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    until(page, lambda: chips(page) == 2)
    settled(page)
    for _ in range(6):
        if "end" in text(page):
            break
        count = chips(page)
        page.wait_for_selector('#next-body tr[tabindex="0"]')
        page.locator('#next-body tr[tabindex="0"]').focus()
        page.keyboard.press("Enter")
        until(page, lambda count=count: chips(page) > count or "end" in text(page))  # type: ignore[misc]
        settled(page)
    assert page.locator("#text-status").inner_text() == "A member of the grammar, ended."
    whole = text(page)
    assert whole.removesuffix("end").rstrip(".") in ("Positive", "Negative", "Neutral")
    address = page.url
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert focused(page, "id") == "text-section" and page.url == address
    page.keyboard.press("Tab")
    page.locator("#chips .chip").first.focus()
    page.keyboard.press("Home")
    assert focused(page, "data-index") == "0"
    page.keyboard.press("ArrowRight")
    assert focused(page, "data-index") == "1" and focused(page, "aria-selected") == "true"
    page.keyboard.press("Backspace")
    until(page, lambda: chips(page) == 2)
    assert whole.startswith(text(page))
    page.keyboard.press("c")
    page.wait_for_selector("#text-status.good")
    assert "exact draw from the conditional law" in page.locator("#text-status").inner_text()
    assert page.locator("#attempts-list .kept").count() == 1


def test_an_error_is_shown_at_its_place(page: Any) -> None:
    page.select_option("#kind", "lark")
    page.fill("#source", 'start: "ä" word\nwor: "x"\n')
    page.wait_for_selector("#error:has-text('not defined')")
    shown = page.locator("#error").inner_text()
    assert "Line 1, column 12" in shown and "not defined" in shown
    line, caret = page.locator("#error pre").inner_text().split("\n")[:2]
    assert line[caret.index("▲") :].startswith("word")
    assert page.locator("#gutter .bad").inner_text().strip() == "1"
    assert page.get_attribute("#source", "aria-invalid") == "true"
    page.click("#error button")
    assert page.evaluate("document.activeElement.selectionStart") == 11
    page.fill("#source", 'start: "ä" word\nword: "x"\n')
    page.keyboard.press("Control+Enter")
    settled(page)
    assert page.locator("#error").is_hidden() and "1 texts" in page.locator("#grammar-status").inner_text()
    page.fill("#typed", "äy")
    page.keyboard.press("Enter")
    page.wait_for_selector("#rejected:not([hidden])")
    shown = page.locator("#rejected").inner_text()
    assert "Allowed there: 'x'" in shown and text(page) == "ä"


def test_a_link_brings_the_state_back(page: Any, browser: Any) -> None:
    page.fill("#temperature", "0.9")
    page.fill("#typed", "Neutral")
    page.click("#type-form button")
    page.wait_for_selector("#text-status:has-text('member')")
    page.locator("#chips .chip").first.click()
    settled(page)
    page.click("#link")
    other = browser.new_page()
    other.goto(page.url)
    settled(other)
    assert text(other) == "Neutral" and other.input_value("#temperature") == "0.9"
    assert other.locator("#chips .current").get_attribute("data-index") == "0"
    assert other.locator("#summary").inner_text() == page.locator("#summary").inner_text()
    other.close()


def test_the_laws_side_by_side(page: Any) -> None:
    page.select_option("#example", "1")
    settled(page)
    page.click("#compare")
    page.wait_for_selector("#tv strong")
    assert float(page.locator("#tv strong").inner_text().removeprefix("= ")) > 0.8
    assert "Exact: all 42 texts" in page.locator("#laws-note").inner_text()
    assert page.locator("#butterfly-body tr").count() == 12
    page.fill("#temperature", "1.4")
    assert page.locator("#laws").is_hidden()  # they belonged to another law
    page.select_option("#example", "0")
    until(page, lambda: "Positive" in page.input_value("#source"))
    settled(page)


def test_what_is_typed_is_never_markup(page: Any) -> None:
    page.select_option("#kind", "choice")
    page.fill("#source", f"{EVIL}\n<b>bold</b>")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#diagram:has-text('onerror')")
    settled(page)
    page.fill("#typed", EVIL + "<b>no")
    page.keyboard.press("Enter")
    page.wait_for_selector("#rejected:not([hidden])")
    page.click("#compare")
    page.wait_for_selector("#tv strong, #compare-status.bad")
    assert page.locator("main img, main b b, #diagram script").count() == 0
    assert page.locator("#facts").inner_text().count("onerror") >= 1


def test_everything_has_a_name_and_fits(page: Any) -> None:
    unnamed = page.evaluate("""() => [...document.querySelectorAll('button, input, select, textarea')]
        .filter((e) => !e.labels?.length && !e.getAttribute('aria-label') && !e.textContent.trim())
        .map((each) => each.outerHTML)""")
    assert unnamed == []
    twice = page.evaluate("""() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
        return ids.filter((id, i) => ids.indexOf(id) !== i); }""")
    assert twice == []
    page.keyboard.press("F1")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#help").is_hidden()
    for width in (1440, 1024, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_asks_for_a_key(browser: Any) -> None:
    with listening(api_keys=("secret-key-1",)) as address:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#key-dialog[open]")
        page.fill("#key", "wrong-key")
        page.keyboard.press("Enter")
        page.wait_for_selector("#key-dialog[open]")
        page.fill("#key", "secret-key-1")
        page.keyboard.press("Enter")
        settled(page)
        assert "gramspec-embedded" in page.locator("#model").inner_text()
        page.close()
