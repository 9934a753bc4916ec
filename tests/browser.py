"""A page in a real browser without a screen, and what axe-core finds wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import needs


@contextmanager
def opened(address: str, **options: Any) -> Iterator[Any]:
    """The page in a browser without a screen, and what its console said."""
    needs.module("playwright")
    chromium = needs.program("chromium", "chromium-browser", "google-chrome")
    from playwright.sync_api import sync_playwright

    quiet = [
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=quiet)
        try:
            page = browser.new_context(**options).new_page()
            page.said = []
            page.on("console", lambda message: page.said.append(message.text))
            page.on("pageerror", lambda error: page.said.append(str(error)))
            page.goto(address)
            yield page
        finally:
            browser.close()


def violations(page: Any) -> list[str]:
    needs.module("axe_playwright_python")
    from axe_playwright_python.sync_playwright import Axe

    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in Axe().run(page).response["violations"]]
