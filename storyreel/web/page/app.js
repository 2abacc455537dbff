// The page: takes a sentence, shows the clip while it grows, plays it, saves it.

import { gif } from "./pixels.js";

const SCALE = 4; // of saved GIFs
const KEPT = 12; // earlier clips
const by = (id) => document.getElementById(id);
const page = { id: 0, busy: false, shown: null, paused: false, model: null, earlier: [] };
const still = matchMedia("(prefers-reduced-motion: reduce)");

function problem(message) {
  by("problem").hidden = false;
  by("problem").textContent = message;
  by("status").textContent = "";
}

// What the browser lacks, or "".
function missing() {
  if (location.protocol === "file:")
    return "A page cannot read its own files from the disk. In its folder run: python -m http.server, and open http://localhost:8000";
  const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(new Uint8Array(simd)))
    return "This browser has no WebAssembly with SIMD, which the model runs on. Chrome, Edge, Firefox and Safari of the last years have it; a browser in lockdown mode has not.";
  if (typeof DecompressionStream !== "function")
    return "This browser cannot unpack the model (it has no DecompressionStream). Chrome, Edge, Firefox and Safari since 2023 can.";
  return "";
}

function start() {
  const lack = missing();
  if (lack) return problem(lack);
  page.worker = new Worker("worker.js", { type: "module" });
  page.worker.onerror = (event) => problem(`The model could not be started: ${event.message ?? "the worker failed"}`);
  page.worker.onmessage = ({ data }) => answers[data.what](data);
  page.worker.postMessage({ what: "load", gpu: new URLSearchParams(location.search).get("device") !== "wasm" });
}

const answers = {
  loading({ done, total }) {
    by("progress").value = done / total;
    by("status").textContent = `Loading the model: ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB, once`;
  },
  ready({ model, device, difference, examples }) {
    page.model = model;
    const { side, frames, fps } = model.settings;
    by("screen").width = by("screen").height = side;
    by("progress").value = 0;
    by("status").textContent = "Ready.";
    by("about").textContent = `${model.name}: ${model.about} ${frames} frames of ${side}×${side} pixels, ${fps} a second; on ${device === "webgpu" ? "the GPU" : "the processor"}.`;
    for (const example of examples) chip(example);
    Object.assign(document.body.dataset, { device, difference });
    busy(false);
  },
  reading({ text, added }) {
    by("reading").hidden = !added.length;
    by("reading").textContent = `As the model reads it: “${text}”`;
  },
  step({ id, step, steps, pixels }) {
    if (id !== page.id) return;
    by("progress").value = step / steps;
    by("status").textContent = `Step ${step} of ${steps}`;
    if (pixels) show({ ...page.making, pixels });
  },
  made({ id, pixels, seconds }) {
    if (id !== page.id) return;
    const clip = { ...page.making, pixels, seconds };
    show(clip);
    keep(clip);
    by("status").textContent = `Made in ${seconds.toFixed(1)} s, seed ${clip.seed}.`;
    document.body.dataset.made = id;
    busy(false);
  },
  failed({ id, message }) {
    if (id === undefined) return problem(`The model could not be loaded: ${message}`);
    by("status").textContent = `Not made: ${message}.`;
    busy(false);
  },
};

function busy(is) {
  page.busy = is;
  by("make").disabled = is;
  by("make").textContent = is && page.model ? "Making …" : "Make";
  for (const id of ["another", "pause", "save-gif", "save-sheet"]) by(id).disabled = is || !page.shown;
  for (const button of document.querySelectorAll("#examples button, #earlier button")) button.disabled = is;
}

function make(seed) {
  const prompt = by("prompt").value.trim();
  if (page.busy || !page.model || !prompt) return;
  by("seed").value = seed;
  page.making = { prompt, seed, asWritten: by("as-written").checked };
  page.id += 1;
  busy(true);
  by("progress").value = 0;
  by("status").textContent = "Reading the sentence …";
  page.worker.postMessage({ what: "make", id: page.id, ...page.making });
}

function chip(example) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = example;
  button.onclick = () => {
    by("prompt").value = example;
    make(seedGiven());
  };
  by("examples").append(button);
}

const seedGiven = () => Math.min(4294967295, Math.max(0, Math.floor(Number(by("seed").value) || 0)));

function show(clip) {
  page.shown = clip;
  by("screen").setAttribute("aria-label", `Animation: ${clip.prompt}`);
  draw();
}

function frameNow() {
  if (!page.shown || page.paused) return page.frame ?? 0;
  const { frames, fps } = page.model.settings;
  return Math.floor((performance.now() / 1000) * fps) % frames;
}

function draw() {
  page.frame = frameNow();
  paint(by("screen"), page.shown, page.frame);
}

function paint(canvas, clip, frame) {
  const { side } = page.model.settings;
  const size = side * side * 4;
  const data = new Uint8ClampedArray(clip.pixels.slice(frame * size, (frame + 1) * size));
  canvas.getContext("2d").putImageData(new ImageData(data, side, side), 0, 0);
}

function play() {
  if (page.shown && !page.paused && frameNow() !== page.frame) draw();
  requestAnimationFrame(play);
}

function keep(clip) {
  const button = document.createElement("button");
  const [canvas, label] = [document.createElement("canvas"), document.createElement("span")];
  canvas.width = canvas.height = page.model.settings.side;
  paint(canvas, clip, 0);
  label.textContent = clip.prompt;
  button.type = "button";
  button.title = `${clip.prompt} (seed ${clip.seed})`;
  button.append(canvas, label);
  button.onclick = () => {
    by("prompt").value = clip.prompt;
    by("seed").value = clip.seed;
    by("as-written").checked = clip.asWritten;
    by("reading").hidden = true;
    by("status").textContent = `Made in ${clip.seconds.toFixed(1)} s, seed ${clip.seed}.`;
    show(clip);
  };
  by("earlier").prepend(button);
  by("shelf").hidden = by("earlier").children.length < 2;
  if (by("earlier").children.length > KEPT) by("earlier").lastElementChild.remove();
}

function save(blob, suffix) {
  const link = document.createElement("a");
  const name = page.shown.prompt.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60).replace(/^-+|-+$/g, "");
  link.download = `${name || "clip"}-${page.shown.seed}${suffix}`;
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function sheet() {
  const { side, frames } = page.model.settings;
  const [canvas, one] = [document.createElement("canvas"), document.createElement("canvas")];
  [canvas.width, canvas.height, one.width, one.height] = [side * frames, side, side, side];
  for (let t = 0; t < frames; t++) {
    paint(one, page.shown, t);
    canvas.getContext("2d").drawImage(one, t * side, 0);
  }
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function gifBlob() {
  const { side, frames, fps } = page.model.settings;
  return new Blob([gif(page.shown.pixels, frames, side, fps, SCALE)], { type: "image/gif" });
}

by("ask").onsubmit = (event) => {
  event.preventDefault();
  make(seedGiven());
};
by("another").onclick = () => {
  by("prompt").value = page.shown.prompt;
  make((page.shown.seed + 1) % 4294967296);
};
by("pause").onclick = () => pause(!page.paused);
by("save-gif").onclick = () => save(gifBlob(), ".gif");
by("save-sheet").onclick = async () => save(await sheet(), ".png");

function pause(is) {
  page.paused = is;
  by("pause").textContent = is ? "Play" : "Pause";
  by("pause").setAttribute("aria-pressed", String(is));
}

pause(still.matches);
window.storyreel = { page, gifBlob, sheet }; // for tests, and for people with a console
start();
play();
