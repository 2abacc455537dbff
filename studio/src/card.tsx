// One video: its preview while it is made, the clip afterwards, and what can be done with it.

import { useEffect, useState } from "preact/hooks";
import { ask, events, media, type Video } from "./api";

interface Props {
  video: Video;
  onChange: () => void;
  onError: (line: string) => void;
  onReuse: (video: Video) => void;
}

export function Card({ video, onChange, onError, onReuse }: Props) {
  const [live, setLive] = useState(video);
  const [preview, setPreview] = useState<string | null>(null);
  const [shown, setShown] = useState(false);
  const ended = video.status === "completed" || video.status === "failed";

  useEffect(() => setLive(video), [video]);
  useEffect(() => {
    if (ended) return;
    const stop = new AbortController();
    const hear = (name: string, data: any) => {
      if (name === "video") setLive(data);
      if (name === "preview") setPreview(data.image);
      if (name === "done") onChange();
    };
    events(video.id, hear, stop.signal).catch(() => {});
    return () => stop.abort();
  }, [video.id, ended]);

  const act = async (method: string, path: string, body?: unknown) => {
    try {
      await ask(method, `/v1/videos/${video.id}${path}`, body);
      onChange();
    } catch (error) {
      onError(String((error as Error).message));
    }
  };
  const own = live.storyreel;
  const waits = live.status === "queued";
  return (
    <article class={`card ${live.status}`} aria-label={live.prompt ?? live.id}>
      <div class="picture">
        {own.has_content ? <Clip video={live} /> : preview ? <img src={preview} alt="Preview of the video so far" /> : null}
        {!ended && (
          <div class="over" role="status">
            {waits ? `waits, ${own.queue_position ?? 0} before it` : own.step || "begins"}
            <progress max={100} value={waits ? 0 : live.progress} aria-label="Progress" />
          </div>
        )}
        {live.error && <div class="over">{live.error.code === "cancelled" ? "cancelled" : live.error.message}</div>}
      </div>
      <h3 title={live.prompt ?? ""}>{live.prompt ?? "a story"}</h3>
      <p class="facts">
        {live.model} · seed {own.seed} · {live.seconds} s · {live.size}
        {own.made_in_seconds !== null && ended ? ` · made in ${own.made_in_seconds} s` : ""}
      </p>
      <div class="actions">
        {!ended && <button onClick={() => act("POST", "/cancel")}>Cancel</button>}
        {waits && (own.queue_position ?? 0) > 0 && <button onClick={() => act("PATCH", "", { before: null })}>Make next</button>}
        {ended && (
          <>
            <button
              aria-pressed={own.favourite}
              aria-label="Favourite"
              onClick={() => act("PATCH", "", { favourite: !own.favourite })}
            >
              {own.favourite ? "★" : "☆"}
            </button>
            <button onClick={() => act("POST", "/remix", { seed: Math.floor(Math.random() * 2 ** 31) })}>Other seed</button>
            <button onClick={() => onReuse(live)}>Remix</button>
            <button aria-expanded={shown} onClick={() => setShown(!shown)}>
              Command
            </button>
            {own.has_content && <Save video={live} />}
            <button onClick={() => confirm("Delete this video for good?") && act("DELETE", "")}>Delete</button>
          </>
        )}
      </div>
      {shown && (
        <dl class="commands">
          {Object.entries(own.commands).map(([name, text]) => (
            <>
              <dt>{name}</dt>
              <dd>
                <pre tabIndex={0}>{text}</pre>
              </dd>
            </>
          ))}
          {own.result?.drawn && Object.keys(own.result.drawn).length > 0 && (
            <>
              <dt>left open, and drawn</dt>
              <dd>{Object.values(own.result.drawn).join(", ")}</dd>
            </>
          )}
        </dl>
      )}
    </article>
  );
}

function Clip({ video }: { video: Video }) {
  const [source, setSource] = useState<string | null>(null);
  useEffect(() => {
    media(`/v1/videos/${video.id}/content`).then(setSource, () => setSource(null));
  }, [video.id]);
  if (!source) return null;
  const name = `Video: ${video.prompt ?? "a story"}`;
  return ["mp4", "webm"].includes(video.storyreel.format) ? (
    <video src={source} autoplay loop muted playsInline controls aria-label={name} />
  ) : (
    <img src={source} alt={name} />
  );
}

function Save({ video }: { video: Video }) {
  const save = async (variant: string, suffix: string) => {
    const link = document.createElement("a");
    link.href = await media(`/v1/videos/${video.id}/content?variant=${variant}`);
    link.download = `${(video.prompt ?? "story").replace(/\W+/g, "-").slice(0, 48)}-seed${video.storyreel.seed}.${suffix}`;
    link.click();
  };
  return (
    <>
      <button onClick={() => save("video", video.storyreel.format)}>Save</button>
      <button onClick={() => save("spritesheet", "png")}>Sheet</button>
    </>
  );
}
