// Runs the networks beside the page, which stays quick: loads them once, then makes a clip for each message.

import { Prompts } from "./prompts.js";
import { sample } from "./sampler.js";
import { WordPiece } from "./wordpiece.js";
import { withoutSpecks } from "./pixels.js";

const PREVIEWS = 0.2; // of the time may be spent on showing what there is so far
const TOLERANCE = 0.05; // of logits, whose spread is about 10
const SLOW = 0.6; // seconds a step, above which the processor is taken
const NETWORKS = ["text.onnx.gz", "prior.onnx.gz", "frames.onnx.gz"];
const LIBRARIES = {
  wasm: ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm.gz"],
  webgpu: ["ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm.gz"],
};
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
  state.model = await (await got("model.json")).json();
  const files = { done: 0, total: state.model.files["prompts.json.gz"] };
  for (const name of NETWORKS) files.total += state.model.files[name];
  const fetched = async (name) => bytes(name, (more) => postMessage({ what: "loading", done: (files.done += more), total: files.total }));
  const [vocabulary, prompts, ...networks] = await Promise.all(
    [got("vocabulary.txt").then((one) => one.text()), fetched("prompts.json.gz"), ...NETWORKS.map(fetched)]);
  state.wordpiece = new WordPiece(vocabulary.trimEnd().split("\n"));
  state.prompts = new Prompts(JSON.parse(new TextDecoder().decode(prompts)));
  const devices = gpu && (await hasGpu()) ? ["webgpu", "wasm"] : ["wasm"];
  for (const device of devices) {
    const [library, binary] = LIBRARIES[device];
    files.total += state.model.files[binary];
    try {
      await open(device, library, await fetched(binary), networks);
      const { difference, seconds } = await checked();
      if (difference < TOLERANCE && (device === "wasm" || seconds < SLOW))
        return { model: state.model, device, difference, examples: state.prompts.examples };
      if (device === "wasm") throw new Error(`it computes something else in this browser (off by ${difference})`);
    } catch (error) {
      if (device === "wasm") throw error;
    }
  }
}

async function open(device, library, binary, networks) {
  const ort = (state.ort = await import(`./${library}`));
  ort.env.wasm.wasmBinary = binary.buffer;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  const executionProviders = device === "webgpu" ? ["webgpu", "wasm"] : ["wasm"];
  [state.text, state.prior, state.frames] = [];
  for (const [at, name] of ["text", "prior", "frames"].entries())
    state[name] = await ort.InferenceSession.create(networks[at], { executionProviders });
}

// How far logits are from those of the model's own program, and how long the second step took.
async function checked() {
  const { ids, logits } = state.model.check;
  const step = await networksFor(ids);
  const hidden = Int32Array.from({ length: units() }, (_, unit) => state.model.settings.sizes[unit % state.model.settings.sizes.length]);
  const found = await step.logits(hidden);
  const began = performance.now();
  await step.logits(hidden);
  const difference = Math.max(...logits.map((value, at) => Math.abs(value - found[at])));
  return { difference, seconds: (performance.now() - began) / 1000 };
}

const units = () => state.model.settings.tokens * state.model.settings.sizes.length;

// The networks with a sentence: codes to logits, codes to pixels.
async function networksFor(ids) {
  const { ort, model } = state;
  const words = (await state.text.run({ ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]) })).out;
  const text = new ort.Tensor("float32", await words.getData(), words.dims);
  const guidance = new ort.Tensor("float32", [model.settings.guidance], []);
  const int64 = (codes) => new ort.Tensor("int64", BigInt64Array.from(codes, BigInt), model.settings.shape);
  // A decoder without a palette reads no text.
  const painted = (codes) => (state.frames.inputNames.includes("text") ? { codes, text } : { codes });
  return {
    logits: async (codes) => (await state.prior.run({ codes: int64(codes), text, guidance })).out.getData(),
    pixels: async (codes) => (await (await state.frames.run(painted(int64(codes)))).out.getData()).slice(),
  };
}

// Whether there is a graphics card: a processor that stands in for one is slower than WebAssembly.
async function hasGpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  } catch {
    return false;
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
  const { model, wordpiece, prompts } = state;
  const s = model.settings;
  const began = performance.now();
  const { text, added } = asWritten ? { text: prompt, added: [] } : prompts.completed(prompt, seed);
  const ids = wordpiece.encode(text);
  if (ids.length > model.max_tokens) throw new Error(`the sentence is too long: ${ids.length} tokens, at most ${model.max_tokens}`);
  postMessage({ what: "reading", id, text, added });
  const step = await networksFor(ids);
  let spent = 0;
  const show = async (done, codes) => {
    const now = performance.now();
    let pixels = null;
    if (done < s.steps && spent <= PREVIEWS * (now - began)) {
      pixels = await step.pixels(codes);
      spent += performance.now() - now;
    }
    postMessage({ what: "step", id, step: done, steps: s.steps, pixels });
  };
  const codes = await sample(s, seed, step.logits, show);
  const raw = await step.pixels(codes);
  const pixels = model.crisp ? withoutSpecks(raw, s.frames, s.side) : raw;
  postMessage({ what: "made", id, pixels, codes, seconds: (performance.now() - began) / 1000 });
}
