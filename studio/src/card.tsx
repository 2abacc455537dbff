// One video: its preview while it is made, the clip afterwards, and what can be done with it.

import { useEffect, useState } from "preact/hooks";
import { ask, ended, events, media, shortly, type Model, type Video } from "./api";
import { canTellStories, someSeed } from "./draft";
import { Picture, Transport, useClock, useSheet } from "./sheet";
import { Ticks } from "./ticks";

interface Props {
  video: Video;
  follow: boolean; // by its events: browsers open few connections, so not every video may
  before: Video | undefined; // in the queue
  compared: boolean;
  models: Model[];
  onChange: () => void;
  onError: (line: string) => void;
  onReuse: (video: Video) => void;
  onCompare: (video: Video) => void;
}

export function Card({ video, follow, before, compared, models, onChange, onError, onReuse, onCompare }: Props) {
  const [live, setLive] = useState(video);
  const [preview, setPreview] = useState<string | null>(null);
  const [shown, setShown] = useState<"" | "commands" | "sheet">("");
  const over = ended(video);

  useEffect(() => setLive(video), [video]);
  useEffect(() => {
    if (!follow) return;
    const stop = new AbortController();
    events(video.id, { video: setLive, preview: ({ image }) => setPreview(image), done: onChange }, stop.signal).catch(() => {});
    return () => stop.abort();
  }, [video.id, follow]);

  const act = async (method: string, path: string, body?: Record<string, unknown>) => {
    try {
      await ask(method, `/v1/videos/${video.id}${path}`, body);
      onChange();
    } catch (error) {
      onError((error as Error).message);
    }
  };
  const own = live.storyreel;
  const waits = live.status === "queued";
  const show = (what: "commands" | "sheet") => setShown(shown === what ? "" : what);
  const name = live.prompt ?? "a story";
  return (
    <article class={`card ${live.status}`} aria-label={name}>
      <div class="picture checker">
        {own.has_content ? <Clip video={live} /> : preview ? <img src={preview} alt="Preview of the video so far" /> : null}
        {!over && (
          <div class="over">
            {waits ? `waits, ${own.queue_position ?? 0} before it` : own.step || "starting"}
            <progress max={100} value={waits ? 0 : live.progress} aria-label="Progress" />
          </div>
        )}
        {live.error && <div class="over">{live.error.code === "cancelled" ? "cancelled" : live.error.message}</div>}
      </div>
      <h3>{name}</h3>
      <p class="facts">
        {live.model} · seed {own.seed} · {shortly(live.seconds)} s · {live.size}
        {own.made_in_seconds !== null && over ? ` · made in ${own.made_in_seconds} s` : ""}
      </p>
      <Ticks video={live} models={models} />
      <div class="actions">
        {!over && <button onClick={() => act("POST", "/cancel")}>Cancel</button>}
        {waits && before && (
          <>
            <button onClick={() => act("PATCH", "", { before: before.id })}>Earlier</button>
            <button onClick={() => act("PATCH", "", { before: null })}>Make next</button>
          </>
        )}
        {over && (
          <>
            <button aria-pressed={own.favourite} aria-label="Favourite" onClick={() => act("PATCH", "", { favourite: !own.favourite })}>
              {own.favourite ? "★" : "☆"}
            </button>
            <button onClick={() => act("POST", "/remix", { seed: someSeed() })}>Other seed</button>
            <button onClick={() => onReuse(live)}>Remix</button>
          </>
        )}
        {own.has_content && (
          <>
            <button aria-pressed={compared} onClick={() => onCompare(live)}>
              Compare
            </button>
            {canTellStories(models.find((model) => model.id === live.model)) && (
              <button onClick={() => (location.hash = `story=${live.id}`)}>{own.follows ? "Story" : "Go on"}</button>
            )}
            <Save video={live} variant="video" suffix={own.format} title="Save" />
            <button aria-expanded={shown === "sheet"} onClick={() => show("sheet")}>
              Sheet
            </button>
          </>
        )}
        {over && (
          <>
            <button aria-expanded={shown === "commands"} onClick={() => show("commands")}>
              Command
            </button>
            <button onClick={() => confirm("Delete this video for good?") && act("DELETE", "")}>Delete</button>
          </>
        )}
      </div>
      {shown === "sheet" && <SpriteSheet video={live} />}
      {shown === "commands" && <Commands video={live} />}
    </article>
  );
}

function Commands({ video }: { video: Video }) {
  const { commands, result } = video.storyreel;
  const drawn = Object.values(result?.drawn ?? {});
  return (
    <dl class="commands">
      {Object.entries(commands).map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <pre tabIndex={0}>{text}</pre>
          </dd>
        </div>
      ))}
      {drawn.length > 0 && (
        <div>
          <dt>left open, and drawn</dt>
          <dd>{drawn.join(", ")}</dd>
        </div>
      )}
    </dl>
  );
}

// The sheet as it is, and the animation that its atlas says.
function SpriteSheet({ video }: { video: Video }) {
  const sheet = useSheet(video.id);
  const length = sheet ? sheet.ends[sheet.ends.length - 1] : 0;
  const clock = useClock(length);
  if (!sheet) return <p class="facts">Loading the sheet…</p>;
  return (
    <div class="sheet">
      <div class="checker picture">
        <Picture sheet={sheet} at={clock.at} label={`The sheet as animation: ${video.prompt ?? "a story"}`} />
      </div>
      <Transport clock={clock} length={length} />
      <div class="checker strip" tabIndex={0} role="group" aria-label="The whole sheet">
        <img src={sheet.image.src} alt={`Sprite sheet of ${sheet.frames.length} frames of ${sheet.width}x${sheet.height} pixels`} />
      </div>
      <p class="facts">
        {sheet.frames.length} frames of {sheet.width}x{sheet.height}
      </p>
      <div class="actions">
        <Save video={video} variant="spritesheet" suffix="png" title="Save sheet" />
        <Save video={video} variant="atlas" suffix="json" title="Save atlas" />
      </div>
    </div>
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

function Save({ video, variant, suffix, title }: { video: Video; variant: string; suffix: string; title: string }) {
  const save = async () => {
    const link = document.createElement("a");
    link.href = await media(`/v1/videos/${video.id}/content?variant=${variant}`, true);
    link.download = `${(video.prompt ?? "story").replace(/\W+/g, "-").slice(0, 48)}-seed${video.storyreel.seed}.${suffix}`;
    link.click();
  };
  return <button onClick={save}>{title}</button>;
}
