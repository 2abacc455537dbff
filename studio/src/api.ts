// The server's API, as much of it as the page uses.

export interface Video {
  id: string;
  created_at: number;
  model: string;
  progress: number;
  prompt: string | null;
  remixed_from_video_id: string | null;
  seconds: string;
  size: string;
  status: "queued" | "in_progress" | "completed" | "failed";
  error: { code: string; message: string } | null;
  storyreel: {
    seed: number;
    format: string;
    settings: Record<string, unknown>;
    step: string;
    queue_position: number | null;
    made_in_seconds: number | null;
    favourite: boolean;
    result: { frames: number; fps: string; drawn?: Record<string, string>; restated?: string[] } | null;
    has_content: boolean;
    commands: { cli: string; python: string; curl: string };
  };
}

export interface Model {
  id: string;
  storyreel: {
    about: string | null;
    sizes: string[];
    frames: number | null;
    max_frames: number | null;
    fps: string | null;
    cannot: string[];
    attributes: Record<string, Record<string, string>>;
  };
}

// The token of a server that asks for one comes in the address, after the #, which browsers send to nobody.
const found = new URLSearchParams(location.hash.slice(1)).get("token");
if (found) {
  sessionStorage.setItem("token", found);
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token");
const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};

export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const said = body === undefined ? {} : { body: JSON.stringify(body) };
  const kind: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
  const reply = await fetch(path, { method, headers: { ...headers, ...kind }, ...said });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error?.message ?? `The server answered ${reply.status}.`);
  return answer as T;
}

// Where a file is shown from: media elements send no header, so with a token its bytes are fetched first.
export async function media(path: string): Promise<string> {
  if (!token) return path;
  const reply = await fetch(path, { headers });
  if (!reply.ok) throw new Error(`The server answered ${reply.status}.`);
  return URL.createObjectURL(await reply.blob());
}

// Server-sent events, read from a fetch, which can show the token. Ends when `stop` is aborted or the stream ends.
export async function events(id: string, hear: (name: string, data: any) => void, stop: AbortSignal): Promise<void> {
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
      if (lines) hear(lines[1], JSON.parse(lines[2]));
    }
  }
}
