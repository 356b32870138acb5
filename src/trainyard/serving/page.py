"""The page for a browser: one file, whose style and script are allowed by their digests, and nothing else is."""

import base64
import hashlib
import re
from importlib.resources import files

from aiohttp import web


class Page:
    """page.html, and the policy under which a browser shows it: it loads nothing from elsewhere."""

    def __init__(self) -> None:
        self.content = (files("trainyard.serving") / "page.html").read_text("utf-8")
        self.policy = (
            f"default-src 'none'; script-src '{self.digest('script')}'; style-src '{self.digest('style')}'; "
            "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def digest(self, element: str) -> str:
        """The digest of the content of the only element of that name."""
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", self.content, re.DOTALL)
        return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"

    async def get(self, _: web.Request) -> web.Response:
        """Answer with the page."""
        headers = {"Content-Security-Policy": self.policy}
        return web.Response(text=self.content, content_type="text/html", headers=headers)
