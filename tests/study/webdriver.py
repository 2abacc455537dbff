"""A headless Chromium by WebDriver, which is JSON over HTTP: the standard library is enough."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
KEYS = {"left": "\ue012", "up": "\ue013", "right": "\ue014", "down": "\ue015"}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def programs() -> tuple[str, str] | None:
    """(chromedriver, chromium), or None where one is missing."""
    driver = shutil.which("chromedriver")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return (driver, browser) if driver and browser else None


class Browser:
    """A fresh browser with an empty profile; use it as a context manager."""

    def __init__(self, profile: Path, size: tuple[int, int] = (1280, 800), dark: bool = False) -> None:
        found = programs()
        assert found is not None
        self.profile, self.size, self.dark, self.session = profile, size, dark, ""
        self.driver, self.browser = found

    def _started(self, tries: int = 5) -> str:
        """Its address. It takes a port that IPv4 has free, and ends where IPv6 has not; then it is started anew."""
        said = ""
        for _ in range(tries):
            self.process = subprocess.Popen(
                [self.driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            assert self.process.stdout is not None
            for line in self.process.stdout:
                if port := re.search(r"successfully on port (\d+)", line):
                    return f"http://127.0.0.1:{port[1]}"
                said += line
            self.process.wait(20)
        raise AssertionError(f"{self.driver} ended {tries} times before it listened: {said}")

    def __enter__(self) -> Browser:
        self.base = self._started()
        width, height = self.size
        args = [*FLAGS, f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]
        args += ["--blink-settings=preferredColorScheme=0"] if self.dark else []
        options: dict[str, Any] = {"binary": self.browser, "args": args}
        phone = width < 500
        metrics = {"width": width, "height": height, "pixelRatio": 1 + phone, "touch": phone, "mobile": phone}
        options["mobileEmulation"] = {"deviceMetrics": metrics}
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        self.session = "/session/" + self._call("POST", "/session", wanted)["sessionId"]
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            if self.session:
                self._call("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait(20)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=600) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def open(self, url: str) -> None:
        self._call("POST", f"{self.session}/url", {"url": url})

    def run(self, script: str, *args: Any) -> Any:
        """The value of a function body of JavaScript."""
        return self._call("POST", f"{self.session}/execute/sync", {"script": script, "args": list(args)})

    def wait(self, script: str, seconds: float = 300) -> Any:
        """The value of an expression as soon as it is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(f"return {script}"):
                return value
            time.sleep(0.05)
        raise AssertionError(
            f"waited in vain for {script}; the page says {self.run('return document.body.innerText')!r}"
        )

    def click(self, selector: str, tries: int = 5) -> None:
        """The first element that fits; one that the page replaced meanwhile is looked for again."""
        found = self._call("POST", f"{self.session}/element", {"using": "css selector", "value": selector})
        try:
            self._call("POST", f"{self.session}/element/{found[ELEMENT]}/click", {})
        except AssertionError as error:
            if tries < 2 or "stale element reference" not in str(error):
                raise
            self.click(selector, tries - 1)

    def press(self, key: str) -> None:
        """One key, such as "1" or "left", to whatever has the focus."""
        keys = [{"type": kind, "value": KEYS.get(key, key)} for kind in ("keyDown", "keyUp")]
        self._call("POST", f"{self.session}/actions", {"actions": [{"type": "key", "id": "k", "actions": keys}]})

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("GET", f"{self.session}/screenshot")))
