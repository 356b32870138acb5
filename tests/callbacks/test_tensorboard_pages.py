"""TensorBoard itself, in a browser: what a run logged is on its pages.

With TRAINYARD_SCREENSHOTS=FOLDER the screenshots are kept there, to be looked at.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from PIL import Image
from ranks import free_port

import trainyard

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH")]
PAGES = {  # where a page gets its content from, and what is in it
    "scalars": ("scalars/tags", "curves/loss"), "images": ("images/tags", "validation/confusion"),
    "text": ("text/tags", "run/config"), "graphs": ("graphs/info", '"run_graph": true'),
    "projector": ("projector/runs", '["."]'), "hparams": ("", ""),
}  # fmt: skip


def get(url: str) -> bytes:
    with urlopen(url, timeout=30) as answer:
        return answer.read()


@pytest.fixture(scope="module")
def address(short: list[str]) -> Iterator[str]:
    """The address of a TensorBoard that shows one run."""
    pictures = ["callbacks.pictures.share=1", "callbacks.pictures.at_least=0"]
    run = trainyard.train([*short, "model=mlp", "data=shapes", "data.size=200", "data.test_size=100", *pictures])
    port = free_port()
    words = ["--logdir", str(run.path), "--host", "127.0.0.1", "--port", str(port), "--load_fast=false"]
    server = subprocess.Popen([sys.executable, "-m", "tensorboard.main", *words], stderr=subprocess.DEVNULL)
    try:
        yield waited_for(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(30)


def waited_for(address: str, seconds: float = 120) -> str:
    """The address, once TensorBoard has read the run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if json.loads(get(f"{address}/data/plugin/images/tags")) and "projector" in active(address):
                return address
        except (URLError, ConnectionError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"{address} shows no picture after {seconds} s")


def active(address: str) -> set[str]:
    """The pages that have something to show."""
    listed = json.loads(get(f"{address}/data/plugins_listing"))
    return {name for name, facts in listed.items() if facts["enabled"]}


def test_every_kind_of_page_has_something_to_show(address: str) -> None:
    assert active(address) >= PAGES.keys()


def test_a_picture_arrives_as_it_was_drawn(address: str) -> None:
    ((run, tags),) = json.loads(get(f"{address}/data/plugin/images/tags")).items()
    query = f"run={run}&tag=validation/confusion&sample=0"
    (*_, last) = json.loads(get(f"{address}/data/plugin/images/images?{query}"))
    assert set(tags) >= {"data/training_batch", "validation/confusion", "validation/mistakes"}
    content = get(f"{address}/data/plugin/images/individualImage?{last['query']}")
    assert content.startswith(b"\x89PNG") and len(content) > 5000


@pytest.mark.parametrize("page", PAGES)
def test_a_browser_shows_it(page: str, address: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("TRAINYARD_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{page}.png"
    browse(f"{address}/#{page}", f"--screenshot={file}")
    image = Image.open(file).convert("RGB")
    below = image.crop((420, 110, image.width, image.height))  # neither the tabs nor the list of runs
    colors = below.getcolors(1 << 24) or []
    assert len(colors) > 20 and max(colors)[0] < 0.9995 * below.width * below.height
    source, expected = PAGES[page]  # the pages consist of shadow roots, which Chromium does not dump
    assert expected in get(f"{address}/data/plugin/{source}" if source else address).decode()


def browse(address: str, *options: str) -> None:
    """Have Chromium, without a window, show a page."""
    call = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader",
            "--hide-scrollbars", "--window-size=1500,1100", "--virtual-time-budget=15000"]  # fmt: skip
    done = subprocess.run([*call, *options, address], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
