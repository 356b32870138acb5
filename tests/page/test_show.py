"""A run as one HTML file: what it says, that nothing in it is loaded or run, and what a browser makes of it."""

import json
import re
import shutil
import socket
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from PIL import Image

import trainyard
from trainyard.cli.main import run_command
from trainyard.durability.run_lock import RunLock
from trainyard.errors import UserError
from trainyard.page.facts import read_facts
from trainyard.trust.signature import SIGNATURE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer", "h1", "h2", "p", "ul",
    "li", "b", "span", "strong", "mark", "div", "table", "thead", "tbody", "tr", "th", "td", "pre", "figure",
    "figcaption", "img", "details", "summary",
}  # fmt: skip
EVIL = "</pre></style></title><script>document.title='owned'</script><img src=x onerror=alert(1)>\"' onload='x"


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.source = file.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def check_is_inert(page: Page) -> None:
    assert page.tags <= TAGS
    names = {name for name, _ in page.attributes}
    assert names <= {"lang", "charset", "http-equiv", "content", "name", "class", "scope", "src", "alt", "open"}
    assert all(value.startswith("data:image/") for name, value in page.attributes if name in ("src", "href"))
    policies = [value for _, value in page.attributes if value.startswith("default-src 'none'; img-src data:; ")]
    assert len(policies) == 1 and "unsafe" not in policies[0] and "script" not in policies[0]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page.source)


def test_it_says_what_the_run_is_and_how_to_repeat_it(run: trainyard.Run, tmp_path: Path) -> None:
    picture, sprites = run.path / "pictures" / "mistakes.png", run.path / "projector" / "sprites.png"
    for file in (picture, sprites):  # of which the second one is no picture for people
        file.parent.mkdir()
        Image.new("RGB", (3, 3), "red").save(file)
    page = Page(run.show(tmp_path / "page.html"))
    for file in (picture, sprites):
        shutil.rmtree(file.parent)
    check_is_inert(page)
    assert f"{run.summary['score']:.4f}" in page.text and f"{run.summary['test']['test/accuracy']:.4f}" in page.text
    assert (
        "model=mlp data=shapes data.size=200 data.test_size=100" in page.text
        and "run.root=" not in (page.text.partition("Train it again")[2].partition("Config")[0])
    )
    assert "<mark>200</mark>" in page.source and "<mark>mlp</mark>" in page.source  # the overridden values
    assert "<mark>0.001</mark>" not in page.source and "optimizer.lr" in page.text
    assert page.source.count("data:image/svg+xml;base64,") == 2 and page.source.count("data:image/png;base64,") == 1
    assert (
        "pictures/mistakes.png" in page.text
        and "sprites" not in page.text
        and "torch" in page.text.partition("Environment")[2]
    )


def test_the_command_writes_it_into_the_run_whole_or_not_at_all(run: trainyard.Run, tmp_path: Path, capsys) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    run_command(["show", str(copy)])
    assert capsys.readouterr().out.strip() == str(copy / "run.html") and (copy / "run.html").stat().st_size > 10_000
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"folder cannot be written .*; choose another --out"):
        run_command(["show", str(copy), "--out", str(tmp_path / "folder")])
    assert not list(tmp_path.rglob("*.part")) and not list((tmp_path / "folder").iterdir())
    with pytest.raises(UserError, match="is not a run: it has no config.resolved.yaml; the newest run below it is"):
        run_command(["show", str(tmp_path)])


def test_a_run_that_failed_is_shown_as_far_as_it_got(run: trainyard.Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns("summary.json", "metrics.jsonl", "environment.json"))
    (copy / "status.json").write_text(json.dumps({"state": "failed", "error": "ValueError: width & depth"}))
    (copy / "crash.txt").write_text("Traceback ...\nValueError: width & depth\n")
    page = Page(trainyard.load(copy).show())
    check_is_inert(page)
    assert "failed" in page.text and "Traceback ..." in page.text and "width &amp; depth" in page.source


def test_a_run_that_was_killed_is_not_shown_as_one_that_runs(run: trainyard.Run, tmp_path: Path) -> None:
    copy = shutil.copytree(run.path, tmp_path / "copy")
    (copy / "status.json").write_text(json.dumps({"state": "running", "host": socket.gethostname()}))
    assert read_facts(copy).state == "stopped"
    with RunLock(copy):
        assert read_facts(copy).state == "running"


@pytest.fixture
def hostile(run: trainyard.Run, tmp_path: Path) -> Path:
    """Someone else's run, in each of whose texts there is markup."""
    path = tmp_path / "hostile"
    shutil.copytree(run.path, path)
    (path / SIGNATURE).unlink()
    config = yaml.safe_load((path / "config.resolved.yaml").read_text())
    config["run"]["name"], config["model"][EVIL], config["data"]["classes"] = EVIL, EVIL, [EVIL, {"x": EVIL}]
    (path / "config.resolved.yaml").write_text(yaml.safe_dump(config))
    for name in ("choices.yaml", "overrides.yaml"):
        content = (
            {"model": EVIL, "data": [EVIL]} if name == "choices.yaml" else [f"model={EVIL}", f"{EVIL}=1", {"a": 1}]
        )
        (path / name).write_text(yaml.safe_dump(content))
    summary = json.loads((path / "summary.json").read_text())
    more = {
        "name": f"{EVIL}\ud800\x1b[2J",
        "monitor": f"val/{EVIL}",
        "best": {f"val/{EVIL}": 0.5},
        "limited": {EVIL: EVIL},
    }
    (path / "summary.json").write_text(json.dumps({**summary, **more, "test": [EVIL], "seconds": EVIL}))
    odd = {
        "packages": {EVIL: EVIL, "torch": EVIL},
        "git_commit": EVIL,
        "git_status": [EVIL],
        "gpus": [EVIL],
        "cpu": EVIL,
    }
    (path / "environment.json").write_text(json.dumps({**odd, "command": EVIL}))
    (path / "status.json").write_text(json.dumps({"state": EVIL, "error": EVIL, "time": [EVIL]}))
    rows = [
        {"step": i, "epoch": i, f"val/{EVIL}": i, r"val/$\frac{$": i, "val/_x": 10**400, "lr/$x": i} for i in range(3)
    ]
    rows += [{"step": EVIL, "epoch": None, "val/loss": 1e300}, {"step": 1, "val/loss": EVIL}]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path / "run.log").write_text(f"2026-11-29 19:32:41,356 WARNING x: {EVIL}\n")
    (path / "crash.txt").write_bytes(f"{EVIL}\xff\x1b[2J".encode("latin-1"))
    (path / '"><script>x<.png').write_bytes(b"\x89PNG\r\n\x1a\n" + EVIL.encode())
    (path / "link.png").symlink_to("/etc/passwd")
    return path


def test_what_someone_else_wrote_is_text(hostile: Path, tmp_path: Path) -> None:
    run_command(["show", str(hostile), "--out", str(tmp_path / "page.html")])
    page = Page(tmp_path / "page.html")
    check_is_inert(page)
    assert "<script" not in page.source and page.text.count("document.title='owned'") > 10
    assert "root:" not in page.text


@pytest.mark.parametrize("name", ["crash.txt", "environment.json", "config.resolved.yaml"])
def test_nothing_from_elsewhere_gets_into_a_page_that_is_mailed(name: str, hostile: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    shutil.copy(hostile / name, secret)
    (hostile / name).unlink()
    (hostile / name).symlink_to(secret)
    with pytest.raises(UserError, match=f"{name} is a link; a page contains only what is in the run directory"):
        run_command(["show", str(hostile), "--out", str(tmp_path / "page.html")])
    assert not (tmp_path / "page.html").exists()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH")
def test_a_browser_shows_it_light_and_dark_and_runs_nothing(run: trainyard.Run, hostile: Path, tmp_path: Path) -> None:
    for path, name in ((run.path, "own"), (hostile, "hostile")):
        run_command(["show", str(path), "--out", str(tmp_path / f"{name}.html")])
        for scheme, background in (("1", (255, 255, 255)), ("0", (0x14, 0x18, 0x1D))):
            shot = tmp_path / f"{name}{scheme}.png"
            browse(tmp_path / f"{name}.html", f"--screenshot={shot}", f"--blink-settings=preferredColorScheme={scheme}")
            image = Image.open(shot).convert("RGB")
            colors = {color: count for count, color in image.getcolors(1 << 24) or []}
            assert max(colors, key=lambda color: colors[color]) == background
            assert len(colors) > 100 and colors[background] < 0.97 * image.width * image.height
    shown = browse(tmp_path / "hostile.html", "--dump-dom")
    assert "<title>owned" not in shown and "<title>&lt;/pre&gt;" in shown


def browse(file: Path, *options: str) -> str:
    """What Chromium, without a window, prints about a page."""
    call = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=900,1400"]
    done = subprocess.run([*call, *options, file.as_uri()], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
