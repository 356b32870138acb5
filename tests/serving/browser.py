"""Headless Chromium, driven as a user would: keys, clicks, a chosen file; by the DevTools protocol."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60.0  # seconds
KEYS = {"Enter": 13, "Tab": 9}
CONTROL = 2  # a modifier


class Browser:
    """One tab. Everything that the page does wrong is in `complaints`: errors, and what its policy forbids."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.loop, self.socket, self.number = loop, socket, 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        for name in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{name}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers to a command."""
        return self.loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), PATIENCE))

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": parameters})
        while True:
            message = await self.socket.receive_json()
            if message.get("id") == self.number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.note(message.get("method"), message.get("params", {}))

    def note(self, event: str, what: dict[str, Any]) -> None:
        """Remember errors and requests."""
        if event == "Runtime.exceptionThrown" or (event == "Log.entryAdded" and what["entry"]["level"] == "error"):
            self.complaints.append(json.dumps(what))
        if event == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])

    def evaluate(self, script: str) -> Any:
        """The value of a script in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str) -> Any:
        """The value of a script, once it is true."""
        end = time.monotonic() + PATIENCE
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, f"{script} did not become true; {self.evaluate('document.body.innerText')}"
            time.sleep(0.02)
        return value

    def open(self, url: str, scheme: str = "light", width: int = 820, height: int = 1000) -> None:
        """Show a page, light or dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        for letter in text:
            self.call("Input.dispatchKeyEvent", type="keyDown", text=letter, unmodifiedText=letter, key=letter)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key that types nothing."""
        event: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": modifiers}
        text = {"text": "\r"} if key == "Enter" and not modifiers else {}
        self.call("Input.dispatchKeyEvent", type="rawKeyDown" if not text else "keyDown", **text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        script = f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({json.dumps(selector)})"
        x, y = self.evaluate(script + ".getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(file)], nodeId=node)

    def drop(self, file: Path, x: int, y: int) -> None:
        """Drag a file onto the page, and drop it."""
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def screenshot(self, file: Path) -> None:
        """A picture of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in `folder`."""
    words = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    words += ["--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    loop = asyncio.new_event_loop()
    session = loop.run_until_complete(new_session())
    try:
        end, ready = time.monotonic() + PATIENCE, folder / "DevToolsActivePort"
        while not (ready.is_file() and ready.read_text().count("\n")):
            assert process.poll() is None and time.monotonic() < end, "Chromium did not start"
            time.sleep(0.05)
        port = ready.read_text().split()[0]
        yield Browser(loop, loop.run_until_complete(connect(session, port)))
    finally:
        loop.run_until_complete(session.close())
        loop.close()
        process.terminate()
        process.wait(20)


async def new_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


async def connect(session: aiohttp.ClientSession, port: str) -> aiohttp.ClientWebSocketResponse:
    """The socket of the tab."""
    async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
        tabs = [tab for tab in await response.json() if tab["type"] == "page"]
    return await session.ws_connect(tabs[0]["webSocketDebuggerUrl"], max_msg_size=0)
