"""The page of the server, in a real browser: what a person sees, types and hears."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dojo.catalogue import ROOT
from dojo.spec.server import Beside
from tests.browser import opened, violations
from tests.serve.serving import FOREVER, metric, offline, serving
from tinytorch.capstone import Bundle
from tinytorch.tokenization import BPETokenizer
from tinytorch.transformers import GPT, GPTConfig

NASTY = "<img src=x onerror=\"document.title='broken'\">"
WIDTHS = pytest.mark.parametrize("width", [360, 1440])
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with serving() as server:
        yield server


def parrot(text: str, places: int = 128) -> Bundle:
    """A model of bytes that writes this text again and again: its token depends on nothing but the place."""
    tokenizer = BPETokenizer()
    model = GPT(GPTConfig(tokenizer.vocab_size, places, 1, 1, places, tie_weights=False))
    for name, parameter in model.named_parameters():
        if name.endswith((".weight", ".bias")) and not name.startswith(("h.0.ln", "ln_f.weight")):
            parameter.data[...] = 0
    ids = tokenizer.encode(text)
    for place in range(places):
        model.wpe.weight.data[place, place] = 1
        model.lm_head.weight.data[ids[(place + 1) % len(ids)], place] = 1
    return Bundle(model.eval(), tokenizer, {"name": "parrot"})


@contextmanager
def page_of(server: Beside, **options: Any) -> Iterator[Any]:
    """The page, which has to keep its Content-Security-Policy and to say nothing on its console."""
    with opened(server.address, **options) as page:
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        yield page
        assert page.said == []
        assert all(url.startswith(server.address) for url in page.asked)


def fill(page: Any, prompt: str = "def ", temperature: float = 0, tokens: int = 16) -> None:
    page.get_by_label("Prompt").fill(prompt)
    page.get_by_label("Temperature").fill(str(temperature))
    page.get_by_label("Max tokens").fill(str(tokens))


def write(page: Any, **options: Any) -> str:
    """Let the model write, wait for its end, and give the whole text."""
    fill(page, **options)
    page.get_by_role("button", name="Write").click()
    page.get_by_text(re.compile(r"^Finished: \d+ tokens?")).wait_for()
    return text_of(page)


def text_of(page: Any) -> str:
    return str(page.locator("#text").text_content())


def endless(page: Any) -> None:
    """Let the model write more than anybody waits for, and wait for the first tokens."""
    page.evaluate(f"document.getElementById('max_tokens').max = {FOREVER}")
    fill(page, tokens=FOREVER // 8 * 8)
    page.get_by_role("button", name="Write").click()
    page.locator("#text .token").nth(3).wait_for()


# What it does -------------------------------------------------------------------------------------------


def test_the_text_is_the_model_s(server: Beside) -> None:
    with page_of(server) as page:
        assert page.locator("#model").text_content() == "random"
        assert write(page, tokens=24) == "def " + offline("def ", 24)
        assert "tokens per second" in page.locator("#status").text_content()


def test_the_sliders_are_sent(server: Beside) -> None:
    with page_of(server) as page:
        page.get_by_label("Top-k").fill("7")
        page.get_by_label("Top-p").fill("0.5")
        fill(page, temperature=1.5, tokens=8)
        with page.expect_request("**/v1/completions") as sent:
            page.get_by_role("button", name="Write").click()
        body = sent.value.post_data_json
        assert (body["top_k"], body["top_p"], body["temperature"], body["max_tokens"]) == (7, 0.5, 1.5, 8)
        page.get_by_text(re.compile("^Finished")).wait_for()


def test_a_token_says_how_likely_it_was(server: Beside) -> None:
    with page_of(server) as page:
        write(page, tokens=8)
        (choice,) = server.post(
            "/v1/completions", prompt="def ", max_tokens=8, temperature=0, logprobs=5
        ).json()["choices"]
        expected = f"{100 * 2.718281828459045 ** choice['logprobs']['token_logprobs'][2]:.1f} %"
        page.locator("#text .token").nth(2).hover()
        assert expected in page.locator("#which").text_content()
        shares = page.locator("#others .number").all_text_contents()
        assert len(shares) in (5, 6) and expected in shares


def test_a_character_of_many_tokens_is_one_piece() -> None:
    """The tokenizer has bytes only, and the model writes three of them again and again: those of one sign."""
    with serving(parrot("€")) as server, page_of(server) as page:
        assert write(page, prompt="€", tokens=8).startswith("€€€")
        assert "3 tokens together" in told(page, 0)


def told(page: Any, number: int) -> str:
    page.locator("#text .token").nth(number).hover()
    return str(page.locator("#which").text_content())


def test_stop_stops(server: Beside) -> None:
    with page_of(server) as page:
        endless(page)
        page.get_by_role("button", name="Stop").click()
        page.get_by_text(re.compile(r"^Stopped: \d+ tokens")).wait_for()
        written = text_of(page)
        server.until(lambda: metric(server, "tinytorch_rows_active") == 0)
        assert text_of(page) == written
        assert not page.locator("#problem").is_visible()


def test_attention_is_shown_head_by_head(server: Beside) -> None:
    with page_of(server) as page:
        write(page, tokens=8)
        page.get_by_role("button", name="Show its attention").click()
        page.get_by_label("Layer").wait_for()
        found = server.post("/api/attention", prompt=text_of(page)).json()
        assert page.locator("#looked").text_content() == "".join(found["tokens"])
        assert page.get_by_role("radio").count() == 3  # all, and two heads
        before = page.locator("#looked .token").first.get_attribute("title")
        page.get_by_role("radio", name="Head 2").check()
        assert page.locator("#looked .token").first.get_attribute("title") != before
        page.get_by_label("Layer").select_option("1 of 2")
        page.wait_for_function("document.getElementById('layer').value === '0'")


# Who uses it --------------------------------------------------------------------------------------------


@WIDTHS
@THEMES
def test_it_has_no_barrier_and_fits(server: Beside, width: int, theme: str) -> None:
    with page_of(
        server, viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
    ) as page:
        assert violations(page) == []
        write(page, tokens=64)
        page.locator("#text .token").nth(5).click()
        page.get_by_role("button", name="Show its attention").click()
        page.get_by_label("Layer").wait_for()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("complain('Something is wrong.')")
        assert violations(page) == []


def test_it_is_used_with_the_keyboard_alone(server: Beside) -> None:
    with page_of(server) as page:
        press = page.keyboard.press
        press("Tab")  # the prompt
        press("ControlOrMeta+A")
        page.keyboard.type("def he")
        press("Tab")
        press("Home")  # temperature 0
        for _ in range(3):
            press("Tab")
        press("Home")  # 8 tokens
        press("Tab")
        assert focused(page) == "write"
        press("Enter")
        page.get_by_text(re.compile("^Finished: 8 tokens")).wait_for()
        assert text_of(page) == "def he" + offline("def he", 8)
        assert focused(page) == "write"  # and not nowhere, when Stop is gone
        press("Tab")
        assert focused(page) == "token"
        press("ArrowRight")
        assert "Token 2 of" in page.locator("#which").text_content()
        assert "%" in page.locator("#token").get_attribute("aria-valuetext")
        press("Tab")
        press("Enter")
        page.get_by_label("Layer").wait_for()
        press("Tab")  # the layer
        press("Tab")  # the heads
        press("ArrowDown")
        assert page.get_by_role("radio", name="Head 1").is_checked()


def test_the_keyboard_stops_too(server: Beside) -> None:
    with page_of(server) as page:
        endless(page)
        page.keyboard.press("Escape")
        page.get_by_text(re.compile(r"^Stopped: \d+ tokens")).wait_for()


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id"))


def test_a_screen_reader_hears_sentences_and_not_tokens(server: Beside) -> None:
    with page_of(server) as page:
        page.evaluate(
            """() => {
                window.heard = [];
                for (const live of document.querySelectorAll("[role=status], [role=alert], [aria-live]"))
                    new MutationObserver(() => window.heard.push(live.textContent))
                        .observe(live, {childList: true, characterData: true, subtree: true});
            }"""
        )
        write(page, tokens=64)
        heard = page.evaluate("window.heard")
        assert heard[0] == "Writing …" and heard[1].startswith("Finished: ") and len(heard) == 2
        assert page.locator("#text").evaluate("text => text.closest('[aria-live], [role=status]')") is None


# What goes wrong ----------------------------------------------------------------------------------------


def test_what_the_model_writes_is_no_html() -> None:
    with serving(parrot(NASTY)) as server, page_of(server) as page:
        assert NASTY in write(page, prompt="<", tokens=64)
        page.locator("#text .token").nth(1).hover()
        page.get_by_role("button", name="Show its attention").click()
        page.get_by_label("Layer").wait_for()
        assert page.locator("img").count() == 0
        assert page.title() == "A GPT that writes"


def test_the_policy_is_strict(server: Beside) -> None:
    policy = server.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    page = (ROOT / "dojo" / "serve" / "page" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?! src=)", page)


def test_an_error_of_the_server_is_told() -> None:
    with serving(max_tokens=64) as server, opened(server.address) as page:
        fill(page, tokens=128)
        page.get_by_role("button", name="Write").click()
        page.get_by_role("alert").filter(has_text="max_tokens has to be").wait_for()


def test_a_lost_connection_is_told() -> None:
    with serving() as server, opened(server.address) as page:
        endless(page)
        server.child.kill()
        page.get_by_role("alert").filter(has_text="The connection to the server was lost.").wait_for()
        assert page.locator("#text .token").count() > 3  # what had come stays
        page.get_by_role("button", name="Write").click()
        page.get_by_role("alert").filter(has_text="cannot be reached").wait_for()


def test_without_javascript_it_says_so(server: Beside) -> None:
    with opened(server.address, java_script_enabled=False) as page:
        assert page.locator("noscript .notice").is_visible()
        assert not page.locator("main").is_visible()


def test_with_keys_the_page_asks_for_one(tmp_path: Any) -> None:
    (tmp_path / "keys").write_text("k" * 40 + "\n")
    with serving(api_keys=str(tmp_path / "keys")) as server, opened(server.address) as page:
        fill(page)
        page.get_by_role("button", name="Write").click()
        page.get_by_label("API key").fill("k" * 40)
        assert write(page) == "def " + offline("def ", 16)
