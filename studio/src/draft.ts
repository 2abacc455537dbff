// What the form holds, and the fields of the requests that it makes.

import { rate, type Fields, type Model, type Video } from "./api";

export interface Part {
  prompt: string;
  seconds: string;
}

export interface Draft {
  prompt: string;
  model: string;
  seed: string;
  count: number; // seeds, one after the other
  seconds: string;
  size: string;
  fps: string;
  format: string;
  transparent: boolean;
  loop: boolean;
  tries: number; // 1: no matter what the judge sees
  numbers: Record<string, string>; // other settings of the form, by their names
  rest: Fields; // settings that the form has no field for: they came with a file or a video
  story: boolean;
  parts: Part[];
}

export const NUMBERS: [name: string, label: string, least: number, step: string][] = [
  ["steps", "Sampling steps", 1, "1"],
  ["guidance", "Guidance", 0, "any"],
  ["candidates", "Best of", 1, "1"],
];

const SHOWN = ["prompt", "model", "seed", "seconds", "size", "fps", "format", "transparent", "loop", "max_tries", "story"];

export const EMPTY: Draft = {
  prompt: "", model: "", seed: "0", count: 1, seconds: "", size: "", fps: "", format: "", transparent: false, loop: false, tries: 1,
  numbers: {}, rest: {}, story: false, parts: [{ prompt: "", seconds: "1" }, { prompt: "", seconds: "1" }],
};

// The form for a request, such as a file names or a video was made by.
export function draftOf(fields: Fields): Draft {
  const text = (name: string) => (fields[name] === undefined || fields[name] === null ? "" : String(fields[name]));
  const parts = Array.isArray(fields.story) ? (fields.story as [string, number][]) : null;
  const numbers = Object.fromEntries(NUMBERS.map(([name]) => [name, text(name)]).filter(([, value]) => value));
  const known = [...SHOWN, ...NUMBERS.map(([name]) => name)];
  return {
    ...EMPTY,
    prompt: text("prompt"), model: text("model"), seed: text("seed") || "0", seconds: text("seconds"), size: text("size"), fps: text("fps"),
    format: text("format"), transparent: fields.transparent === true, loop: fields.loop === true, tries: Number(fields.max_tries ?? 1), numbers,
    rest: Object.fromEntries(Object.entries(fields).filter(([name]) => !known.includes(name))),
    story: parts !== null,
    parts: parts ? parts.map(([prompt, seconds]) => ({ prompt, seconds: String(seconds) })) : EMPTY.parts,
  };
}

export const fieldsOf = (video: Video): Fields => ({
  ...video.storyreel.settings, prompt: video.prompt ?? "", model: video.model, seed: video.storyreel.seed, format: video.storyreel.format,
  max_tries: video.storyreel.max_tries,
});

// The fields that all videos of a draft have.
export function common(draft: Draft, model: Model | undefined): Fields {
  const fields: Fields = { ...draft.rest, model: model?.id };
  for (const [name, value] of Object.entries(draft.numbers)) if (value) fields[name] = Number(value);
  for (const name of ["size", "fps", "format"] as const) if (draft[name]) fields[name] = draft[name];
  if (draft.transparent && !model?.storyreel.cannot.includes("transparent")) fields.transparent = true;
  if (draft.tries > 1 && model?.storyreel.judged.length) fields.max_tries = draft.tries;
  return fields;
}

export function request(draft: Draft, model: Model | undefined, seed: number): Fields {
  const fields: Fields = { ...common(draft, model), prompt: draft.prompt, seed, ...(draft.loop ? { loop: true } : {}) };
  return draft.seconds ? { ...fields, seconds: Number(draft.seconds) } : fields;
}

export const someSeed = () => Math.floor(Math.random() * 2 ** 31);

export const usualSeconds = (model: Model | undefined) =>
  model?.storyreel.frames && model.storyreel.fps ? model.storyreel.frames / rate(model.storyreel.fps) : null;

export const canTellStories = (model: Model | undefined) => !!model && !model.storyreel.cannot.includes("extend");
