// Runs the networks beside the page, which stays quick: loads them once, then makes a clip for each message.

import { Prompts } from "./prompts.js";
import { sample } from "./sampler.js";
import { WordPiece } from "./wordpiece.js";
import { withoutSpecks } from "./pixels.js";

const PREVIEWS = 0.2; // of the time may be spent on showing what there is so far
const state = {};

self.onmessage = async ({ data }) => {
  try {
    if (data.what === "load") postMessage({ what: "ready", ...(await load(data.gpu)) });
    else await make(data);
  } catch (error) {
    postMessage({ what: "failed", id: data.id, message: String(error?.message ?? error) });
  }
};

async function load(gpu) {
  const model = (state.model = await (await got("model.json")).json());
  const device = gpu && (await adapter()) ? "webgpu" : "wasm";
  const [library, binary] = device === "webgpu"
    ? ["ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm.gz"]
    : ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm.gz"];
  const names = ["prompts.json.gz", "text.onnx.gz", "prior.onnx.gz", "frames.onnx.gz", binary];
  const total = names.reduce((sum, name) => sum + model.files[name], 0);
  let done = 0;
  const fetched = (name) => bytes(name, (more) => postMessage({ what: "loading", done: (done += more), total }));
  const [vocabulary, prompts, ...files] = await Promise.all([got("vocabulary.txt").then((one) => one.text()), ...names.map(fetched)]);
  const ort = (state.ort = await import(`./${library}`));
  ort.env.wasm.wasmBinary = files[3].buffer;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  const open = (file) => ort.InferenceSession.create(file, { executionProviders: device === "webgpu" ? ["webgpu", "wasm"] : ["wasm"] });
  state.text = await open(files[0]);
  state.prior = await open(files[1]);
  state.frames = await open(files[2]);
  state.wordpiece = new WordPiece(vocabulary.trimEnd().split("\n"));
  state.prompts = new Prompts(JSON.parse(new TextDecoder().decode(prompts)));
  return { model, device, examples: state.prompts.examples };
}

async function adapter() {
  try {
    return await navigator.gpu?.requestAdapter();
  } catch {
    return null;
  }
}

async function got(name) {
  const reply = await fetch(new URL(name, import.meta.url));
  if (!reply.ok) throw new Error(`${name}: the server answered ${reply.status}`);
  return reply;
}

// A file, unpacked where it is still gzipped: some servers tell the browser to do that.
async function bytes(name, onMore) {
  const reply = await got(name);
  const reader = reply.body.getReader();
  const parts = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
    onMore(next.value.length);
  }
  const blob = new Blob(parts);
  const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  const gzipped = first === 0x1f && second === 0x8b;
  const plain = gzipped ? new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))) : blob;
  return new Uint8Array(await plain.arrayBuffer());
}

async function make({ id, prompt, seed, asWritten }) {
  const { ort, model, wordpiece, prompts } = state;
  const s = model.settings;
  const began = performance.now();
  const { text, added } = asWritten ? { text: prompt, added: [] } : prompts.completed(prompt, seed);
  const ids = wordpiece.encode(text);
  if (ids.length > model.max_tokens) throw new Error(`the sentence is too long: ${ids.length} tokens, at most ${model.max_tokens}`);
  postMessage({ what: "reading", id, text, added });
  const numbers = BigInt64Array.from(ids, BigInt);
  const words = (await state.text.run({ ids: new ort.Tensor("int64", numbers, [1, ids.length]) })).out;
  const states = new ort.Tensor("float32", await words.getData(), words.dims);
  const guidance = new ort.Tensor("float32", [s.guidance], []);
  const int64 = (codes) => new ort.Tensor("int64", BigInt64Array.from(codes, BigInt), s.shape);
  const logits = async (codes) => (await state.prior.run({ codes: int64(codes), text: states, guidance })).out.getData();
  const painted = async (codes) => (await state.frames.run({ codes: int64(codes), text: states })).out.getData();
  let spent = 0;
  const show = async (step, codes) => {
    const now = performance.now();
    let pixels = null;
    if (step < s.steps && spent <= PREVIEWS * (now - began)) {
      pixels = (await painted(codes)).slice();
      spent += performance.now() - now;
    }
    postMessage({ what: "step", id, step, steps: s.steps, pixels });
  };
  const codes = await sample(s, seed, logits, show);
  const raw = (await painted(codes)).slice();
  const pixels = model.crisp ? withoutSpecks(raw, s.frames, s.side) : raw;
  postMessage({ what: "made", id, pixels, codes, seconds: (performance.now() - began) / 1000 });
}
