"""Sprite sheets in the real engines: a page that loads one, served from a folder, in a headless Chromium."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIBRARIES = {
    "phaser3": HERE / "node_modules" / "phaser3" / "dist" / "phaser.min.js",
    "phaser4": HERE / "node_modules" / "phaser" / "dist" / "phaser.min.js",
    "pixi8": HERE / "node_modules" / "pixi.js" / "dist" / "pixi.min.js",
}
PHASER = """
const told = {}, yoyo = {};
new Phaser.Game({
  type: Phaser.CANVAS, width: 256, height: 256, pixelArt: true, banner: false, audio: {noAudio: true},
  scene: {
    preload() { this.load.aseprite("who", "NAME.png", "NAME.json"); },
    create() {
      this.anims.createFromAseprite("who");
      for (const each of this.anims.anims.getArray())
        told[each.key] = each.frames.map(f => [f.frame.cutX, f.frame.cutY, f.frame.cutWidth, f.frame.cutHeight,
                                               f.duration]);
      for (const each of this.anims.anims.getArray()) yoyo[each.key] = each.yoyo;
      const sprite = this.add.sprite(0, 0, "who").setOrigin(0);
      const played = new Set([1]);  // it starts with the first, and counts from one
      sprite.on("animationupdate", (_, frame) => played.add(frame.index));
      sprite.play({key: ANIMATION, repeat: -1});
      sprite.on("animationrepeat", () => { window.told = {animations: told, yoyo, played: played.size}; });
    }
  }
});
"""
PIXI = """
(async () => {
  const sheet = await PIXI.Assets.load("NAME.json");
  const told = {};
  for (const [name, frames] of Object.entries(sheet.animations))
    told[name] = frames.map(t => [t.frame.x, t.frame.y, t.frame.width, t.frame.height, t.source.resolution]);
  const sprite = new PIXI.AnimatedSprite(sheet.animations[ANIMATION]);
  const played = new Set();
  sprite.onFrameChange = index => played.add(index);
  sprite.play();
  for (let i = 0; i < 4 * sprite.totalFrames; i++) sprite.update({deltaTime: 0.5});
  window.told = {animations: told, played: played.size};
})().catch(error => { window.told = {error: String(error)}; });
"""
SCRIPTS = {"phaser3": PHASER, "phaser4": PHASER, "pixi8": PIXI}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of a folder's files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def write_page(folder: Path, engine: str, name: str, animation: str) -> str:
    """The name of a page in `folder` that loads NAME.png and NAME.json with an engine and plays one animation."""
    library = LIBRARIES[engine]
    (folder / f"{engine}.js").write_bytes(library.read_bytes())
    script = SCRIPTS[engine].replace("NAME", name).replace("ANIMATION", repr(animation))
    page = f'<!doctype html><meta charset="utf-8"><body><script src="{engine}.js"></script><script>{script}</script>'
    (folder / f"{engine}.html").write_text(page, encoding="utf-8")
    return f"{engine}.html"


def loaded(browser: Any, folder: Path, engine: str, name: str, animation: str) -> dict[str, Any]:
    """What an engine says of a sheet: `animations`, tag -> [x, y, w, h, ...] of each frame; `played`, how many frames
    of one animation it has shown; of Phaser also `yoyo`, tag -> whether it goes back."""
    page = write_page(folder, engine, name, animation)
    with served(folder) as address:
        browser.open(f"{address}/{page}")
        return browser.wait("window.told", 60)
