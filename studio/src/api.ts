// The server's API, as much of it as the page uses.

import type { Done, ErrorBody, Preview, Provenance, Video } from "./openapi";

export type { Estimate, Model, Models, Provenance, Scene, Scenes, Video, Videos } from "./openapi";
export type Fields = Record<string, unknown>; // of a request

export const ended = (video: Video) => video.status === "completed" || video.status === "failed";

// Seconds with two decimals at most: what the server counts in frames is rarely a round number.
export const shortly = (seconds: string | number, decimals = 2) => Number(Number(seconds).toFixed(decimals));

// "30000/1001" as a number.
export function rate(fps: string): number {
  const [above, below] = fps.split("/").map(Number);
  return above / (below || 1);
}

// The token of a server that asks for one comes in the address, after the #, which browsers send to nobody.
const found = new URLSearchParams(location.hash.slice(1)).get("token");
if (found) {
  sessionStorage.setItem("token", found);
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token");
const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};

// A refusal of the server; `code` is that of its error.
export class Refused extends Error {
  constructor(message: string, readonly code: string | null) {
    super(message);
  }
}

export async function ask<T>(method: string, path: string, body?: Fields | FormData): Promise<T> {
  const form = body instanceof FormData;
  const kind: Record<string, string> = body === undefined || form ? {} : { "Content-Type": "application/json" };
  const content = body === undefined ? {} : { body: form ? body : JSON.stringify(body) };
  const reply = await fetch(path, { method, headers: { ...headers, ...kind }, ...content });
  const answer = await reply.json();
  if (reply.ok) return answer as T;
  const { error } = answer as Partial<ErrorBody>;
  throw new Refused(error?.message ?? `The server answered ${reply.status}.`, error?.code ?? null);
}

// A new video; with a file, which it starts from, as a form.
export function create(fields: Fields, file: File | null): Promise<Video> {
  if (!file) return ask("POST", "/v1/videos", fields);
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  form.append("input_reference", file);
  return ask("POST", "/v1/videos", form);
}

// What made a file, so that its settings can be used again.
export function provenance(file: File): Promise<Provenance> {
  const form = new FormData();
  form.append("input_reference", file);
  return ask("POST", "/v1/provenance", form);
}

export async function json<T>(path: string): Promise<T> {
  const reply = await fetch(path, { headers });
  if (!reply.ok) throw new Error(`The server answered ${reply.status}.`);
  return (await reply.json()) as T;
}

// Where a file is shown from: media elements send no header, so with a token its bytes are fetched first. To be saved,
// they always are: the name that the server gives the file would go before ours.
export async function media(path: string, save = false): Promise<string> {
  if (!token && !save) return path;
  const reply = await fetch(path, { headers });
  if (!reply.ok) throw new Error(`The server answered ${reply.status}.`);
  return URL.createObjectURL(await reply.blob());
}

export interface Heard {
  video?: (video: Video) => void;
  preview?: (preview: Preview) => void;
  done?: (done: Done) => void;
}

// Server-sent events, read from a fetch, which can show the token. Ends when `stop` is aborted or the stream ends.
export async function events(id: string, heard: Heard, stop: AbortSignal): Promise<void> {
  const reply = await fetch(`/v1/videos/${id}/events`, { headers, signal: stop });
  const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop()!;
    for (const part of parts) {
      const lines = part.match(/^event: (.*)\ndata: (.*)$/);
      if (lines) heard[lines[1] as keyof Heard]?.(JSON.parse(lines[2]));
    }
  }
}
