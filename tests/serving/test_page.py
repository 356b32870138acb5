"""The page, in a browser that is used as a person would; and the explanations behind it."""

import base64
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import (  # noqa: F401  fixtures
    Client,
    encoded,
    gate_fixture,
    images_fixture,
    noise,
    numbers_fixture,
    reader_fixture,
    serving,
    texts_fixture,
)
from browser import CHROMIUM, CONTROL, Browser, browsing
from PIL import Image

import trainyard

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH")
WHY = "!document.getElementById('explanation').hidden"
ANSWER = "!document.getElementById('result').hidden && document.getElementById('answer').textContent"
BARS = "[...document.querySelectorAll('#bars li')].map(li => li.innerText.replace(/\\s+/g, ' '))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def shown(answer: dict[str, Any]) -> list[str]:
    return [f"{each['label']} {100 * each['probability']:.1f} %" for each in answer["top"]]


@needs_chromium
@pytest.mark.slow
def test_an_image_is_dropped_or_chosen_and_explained(images: Client, browser: Browser, tmp_path: Path) -> None:
    first, second, bad = (tmp_path / f"{name}.png" for name in ("first", "second", "bad"))
    first.write_bytes(encoded(noise(200, 150)))
    second.write_bytes(encoded(noise(90, 120, 5)))
    bad.write_bytes(b"no image")
    expected = [images.post(file.read_bytes(), "image/png").content for file in (first, second)]
    browser.open(f"http://127.0.0.1:{images.port}/")
    browser.wait("!document.getElementById('form').hidden")
    browser.choose("#file", first)
    assert browser.wait(ANSWER) == expected[0]["label"] and browser.evaluate(BARS) == shown(expected[0])[:5]
    browser.click("#more")
    assert browser.evaluate(BARS) == shown(expected[0])
    browser.drop(second, 400, 250)
    browser.wait(f"({ANSWER}) === '{expected[1]['label']}' && ({BARS})[0] === '{shown(expected[1])[0]}'")
    assert browser.wait("document.getElementById('preview').naturalWidth") == 90
    browser.click("#explain")
    browser.wait(WHY)
    assert browser.wait("document.querySelector('#shown img').naturalWidth") > 500
    browser.screenshot(tmp_path / "image.png")
    assert len(Image.open(tmp_path / "image.png").convert("RGB").getcolors(1 << 24) or []) > 1000
    browser.choose("#file", bad)
    said = browser.wait("!document.getElementById('error').hidden && document.getElementById('error').textContent")
    assert said.startswith("the file is no image") and not browser.evaluate(WHY)
    (refused,) = browser.complaints  # the browser's own note that an answer was 415
    assert "415" in refused
    browser.complaints.clear()


@needs_chromium
@pytest.mark.slow
def test_a_review_is_typed_and_its_words_are_colored(texts: Client, browser: Browser, tmp_path: Path) -> None:
    text = "the cast was good <img src=x onerror=alert(1)>"
    expected = texts.post({"text": text}).content
    browser.requests.clear()
    browser.open(f"http://127.0.0.1:{texts.port}/", scheme="dark")
    browser.wait("!document.getElementById('form').hidden")
    browser.click("#text")
    browser.type(text)
    browser.press("Enter", CONTROL)
    assert browser.wait(ANSWER) == expected["label"] and browser.evaluate(BARS) == shown(expected)
    assert f"of {expected['words']} words are unknown" in browser.evaluate(
        "document.getElementById('note').textContent"
    )
    browser.press("Tab")  # from the text to Predict, from there to Explain: no mouse is needed
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.id") == "explain"
    browser.press("Enter")
    browser.wait(WHY)
    words = "[...document.querySelectorAll('#shown .words span')]"
    assert browser.evaluate(f"{words}.map(word => word.textContent).join('')").startswith("thecastwasgood<img")
    colors = browser.evaluate(f"{words}.map(word => getComputedStyle(word).backgroundColor)")
    assert len(set(colors)) > 1 and "rgba(0, 0, 0, 0)" not in colors
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    browser.screenshot(tmp_path / "text.png")
    assert all(url.startswith((f"http://127.0.0.1:{texts.port}/", "data:")) for url in browser.requests)
    assert not browser.complaints


@needs_chromium
@pytest.mark.slow
def test_numbers_are_typed(numbers: Client, browser: Browser) -> None:
    expected = numbers.post({"values": [0, 1]}).content
    browser.open(f"http://127.0.0.1:{numbers.port}/")
    browser.wait("!document.getElementById('form').hidden")
    browser.evaluate("document.querySelectorAll('#numbers input')[1].select()")
    browser.click("#numbers input:last-child")
    browser.evaluate("document.activeElement.select()")
    browser.type("1")
    browser.press("Enter")
    assert browser.wait(ANSWER) == expected["label"] and browser.evaluate(BARS) == shown(expected)
    browser.evaluate("document.activeElement.select()")
    browser.type("one")
    browser.click("#predict")
    browser.wait("document.getElementById('error').textContent.startsWith('Every number must be given')")
    assert not browser.complaints


def test_the_page_may_load_nothing_and_run_its_own_script_alone(images: Client) -> None:
    status, page, headers = images.get("/")
    policy = headers["Content-Security-Policy"]
    assert (
        status == 200 and headers.get_content_type() == "text/html" and headers["X-Content-Type-Options"] == "nosniff"
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy
    assert not re.search(r"\b(src|href)=\"(?!data:)|\son\w+=|\sstyle=|@import|url\(", page)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", page)


def test_an_explanation_is_that_of_run_explain(
    run: trainyard.Run, reader: trainyard.Run, gate: trainyard.Run, images: Client, texts: Client, numbers: Client
) -> None:
    text = "the cast was not good"
    (expected,) = reader.explain(text, device="cpu")
    found = texts.post({"text": text}, path="/explain").content
    assert [each["word"] for each in found["words"]] == expected.words
    assert [each["value"] for each in found["words"]] == pytest.approx(expected.values.tolist(), rel=1e-3, abs=1e-6)
    assert (found["target"], found["label"]) == (expected.target, expected.prediction)
    (expected,) = gate.explain([[0.0, 1.0]], method="gradient_x_input", target="0", device="cpu")
    found = numbers.post({"values": [0, 1]}, path="/explain?method=gradient_x_input&target=0").content
    assert [each["value"] for each in found["numbers"]] == pytest.approx(expected.values.tolist(), abs=1e-6)
    found = images.post(encoded(noise()), "image/png", "/explain?method=gradient_x_input").content
    picture = Image.open(io.BytesIO(base64.b64decode(found["picture"].partition(",")[2])))
    assert picture.format == "PNG" and picture.width > 500
    assert images.get("/model").content["methods"] == [
        "integrated_gradients",
        "gradient_x_input",
        "saliency",
        "occlusion",
    ]


def test_what_cannot_be_explained_is_a_sentence(
    images: Client, texts: Client, gate: trainyard.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, said in (
        ("/explain?method=gradcam", "method=gradcam does not fit"), ("/explain?method=x", "method=x is no method for"),
        ("/explain?target=cat", "target=cat is not one of the 2 classes"),
    ):  # fmt: skip
        answer = texts.post({"text": "good film"}, path=path)
        assert answer.status == 422 and said in answer.content["error"]
    answer = texts.post([{"text": "good"}] * 2, path="/explain")
    assert (answer.status, "one input is explained at a time" in answer.content["error"]) == (422, True)
    for name in [name for name in sys.modules if name.partition(".")[0] == "captum"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoCaptum(), *sys.meta_path])
    answer = images.post(encoded(noise()), "image/png", "/explain?method=saliency")
    assert answer.status == 501 and answer.content["error"].endswith("pip install 'trainyard[explain]'")
    assert images.post(encoded(noise()), "image/png").status == 200


class NoCaptum:
    """An import system in which captum is not installed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "captum":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_explanations_that_would_wait_too_long_are_refused(gate: trainyard.Run) -> None:
    with serving(gate, explanations=0) as client:
        answer = client.post({"values": [0, 1]}, path="/explain")
        assert answer.status == 503 and "0 explanations wait" in answer.content["error"]
        assert client.post({"values": [0, 1]}).status == 200
