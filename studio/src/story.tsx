// A story: its scenes on a time line, several versions of each, one made again, and more of them at the end.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask, ended, media, shortly, type Model, type Scene, type Scenes, type Video } from "./api";
import { someSeed } from "./draft";
import { Ticks } from "./ticks";

interface Props {
  id: string; // a video of the story: the version that is looked at, or its last scene
  models: Model[];
  onGo: (id: string) => void;
  onClose: () => void;
  onError: (line: string) => void;
}

interface Part {
  prompt: string;
  seconds: number;
}

export function Story({ id, models, onGo, onClose, onError }: Props) {
  const [scenes, setScenes] = useState<Scene[]>([]);
  const [open, setOpen] = useState(0); // the scene that is looked at
  const [lost, setLost] = useState<Part[]>([]); // scenes that went on from another version
  const player = useRef<HTMLVideoElement & HTMLImageElement>(null);

  const look = async () => {
    try {
      const found = await ask<Scenes>("GET", `/v1/videos/${id}/story`);
      setScenes(found.scenes);
      return found.scenes.every((scene) => scene.versions.every(ended));
    } catch (problem) {
      onError((problem as Error).message);
      return true;
    }
  };
  useEffect(() => {
    let timer = 0, over = false;
    const again = async () => {
      const quiet = await look();
      if (!over) timer = window.setTimeout(again, quiet ? 5000 : 1200);
    };
    again();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [id]);

  const chosen = scenes.map((scene) => scene.versions.find((each) => each.id === scene.chosen)!);
  const ends = chosen.map((video) => Number(video.seconds) || 0);
  const begins = ends.map((_, n) => (n ? ends[n - 1] : 0));
  const lengths = ends.map((end, n) => Math.max(0, shortly(end - begins[n], 6)));
  const last = chosen.filter((video) => video.storyreel.has_content && video.status === "completed").pop();
  const n = Math.min(open, chosen.length - 1);

  const act = async (work: () => Promise<unknown>) => {
    try {
      await work();
      onError("");
    } catch (problem) {
      onError((problem as Error).message);
    }
    await look();
  };
  const choose = (scene: number, version: Video) => {
    if (version.id !== chosen[scene].id) {
      setLost(chosen.slice(scene + 1).map((video, i) => ({ prompt: video.prompt ?? "", seconds: lengths[scene + 1 + i] })));
      onGo(version.id);
    }
  };
  const again = (changes: Record<string, unknown>) =>
    act(async () => {
      const made = await ask<Video>("POST", `/v1/videos/${chosen[n].id}/remix`, { seed: someSeed(), ...changes });
      choose(n, made);
    });
  const add = async (parts: Part[]) => {
    let from = chosen[chosen.length - 1];
    for (const { prompt, seconds } of parts)
      from = await ask<Video>("POST", "/v1/videos/extensions", { video: { id: from.id }, model: from.model, prompt, seconds, seed: from.storyreel.seed, format: from.storyreel.format });
    setLost([]);
    onGo(from.id);
  };
  const seek = (scene: number) => {
    setOpen(scene);
    if (player.current && "currentTime" in player.current) player.current.currentTime = begins[scene];
  };
  if (chosen.length === 0) return <p class="empty">Loading the story…</p>;
  const missing = lost.slice(chosen.length - 1 - n);
  return (
    <section class="view story" aria-labelledby="story">
      <div class="bar">
        <h2 id="story">Story, {shortly(ends[ends.length - 1])} seconds</h2>
        <button onClick={onClose}>Back to all videos</button>
      </div>
      <div class="checker stage">{last ? <Whole video={last} player={player} /> : <p>The first scene is being made.</p>}</div>
      <ol class="timeline" aria-label="Scenes">
        {chosen.map((video, i) => (
          <li key={video.id} style={{ flexGrow: Math.max(0.05, lengths[i]) }}>
            <button aria-pressed={i === n} class={video.status} onClick={() => seek(i)}>
              <b>{i + 1}</b> {video.prompt} <span class="facts">{shortly(lengths[i])} s{ended(video) ? "" : `, ${video.status === "queued" ? "waits" : `${video.progress} %`}`}</span>
            </button>
          </li>
        ))}
        {missing.map((part, i) => (
          <li key={`lost${i}`} class="lost" style={{ flexGrow: Math.max(0.05, part.seconds) }}>
            <span>
              {chosen.length + i + 1} {part.prompt} <span class="facts">not made from here</span>
            </span>
          </li>
        ))}
      </ol>
      {missing.length > 0 && (
        <p class="bar">
          {missing.length === 1 ? "A scene" : `${missing.length} scenes`} went on from another version.
          <button onClick={() => act(() => add(missing))}>Make {missing.length === 1 ? "it" : "them"} again from here</button>
        </p>
      )}
      <SceneForm
        key={chosen[n].id} video={chosen[n]} models={models} number={n + 1} seconds={lengths[n]} versions={scenes[n].versions}
        onChoose={(version) => choose(n, version)} onAgain={again} onCancel={() => act(() => ask("POST", `/v1/videos/${chosen[n].id}/cancel`))}
      />
      <More number={chosen.length + 1} seconds={lengths[lengths.length - 1]} onAdd={(part) => act(() => add([part]))} />
    </section>
  );
}

function Whole({ video, player }: { video: Video; player: preact.RefObject<any> }) {
  const [source, setSource] = useState("");
  useEffect(() => {
    media(`/v1/videos/${video.id}/content`).then(setSource, () => setSource(""));
  }, [video.id]);
  if (!source) return null;
  return ["mp4", "webm"].includes(video.storyreel.format) ? (
    <video ref={player} src={source} autoplay loop muted playsInline controls aria-label="The story so far" />
  ) : (
    <img ref={player} src={source} alt="The story so far" />
  );
}

interface SceneProps {
  video: Video;
  models: Model[];
  number: number;
  seconds: number;
  versions: Video[];
  onChoose: (version: Video) => void;
  onAgain: (changes: Record<string, unknown>) => void;
  onCancel: () => void;
}

function SceneForm({ video, models, number, seconds, versions, onChoose, onAgain, onCancel }: SceneProps) {
  const [prompt, setPrompt] = useState(video.prompt ?? "");
  const [long, setLong] = useState(String(seconds));
  const changed = prompt !== (video.prompt ?? "") || Number(long) !== seconds;
  const again = (event: Event) => {
    event.preventDefault();
    onAgain(changed ? { prompt, seconds: Number(long) } : {});
  };
  return (
    <form class="scene" onSubmit={again} aria-label={`Scene ${number}`}>
      <h3>Scene {number}</h3>
      <div class="part">
        <Shows prompt={prompt} long={long} onPrompt={setPrompt} onLong={setLong} />
        <button type="submit">{changed ? "Make it so" : "Another version"}</button>
        {!ended(video) && (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        )}
      </div>
      {video.error && <p class="bad">{video.error.message}</p>}
      <Ticks video={video} models={models} />
      {versions.length > 1 && (
        <div class="versions" role="group" aria-label={`Versions of scene ${number}`}>
          {versions.map((version, i) => (
            <button type="button" key={version.id} aria-pressed={version.id === video.id} onClick={() => onChoose(version)}>
              <Thumbnail video={version} />
              <span>
                {i + 1}: {version.prompt === video.prompt ? `seed ${version.storyreel.seed}` : version.prompt}
              </span>
            </button>
          ))}
        </div>
      )}
    </form>
  );
}

function Thumbnail({ video }: { video: Video }) {
  const [source, setSource] = useState("");
  useEffect(() => {
    if (video.storyreel.has_content) media(`/v1/videos/${video.id}/content?variant=thumbnail`).then(setSource, () => {});
  }, [video.id, video.storyreel.has_content]);
  return source ? <img class="checker" src={source} alt="" /> : <span class="checker none">{video.status === "failed" ? "failed" : "…"}</span>;
}

function Shows(fields: { prompt: string; long: string; onPrompt: (prompt: string) => void; onLong: (long: string) => void }) {
  return (
    <>
      <label>
        Shows
        <input value={fields.prompt} required maxLength={4000} onInput={(event) => fields.onPrompt(event.currentTarget.value)} />
      </label>
      <label>
        Seconds
        <input type="number" step="any" min={0.01} required value={fields.long} onInput={(event) => fields.onLong(event.currentTarget.value)} />
      </label>
    </>
  );
}

function More({ number, seconds, onAdd }: { number: number; seconds: number; onAdd: (part: Part) => void }) {
  const [prompt, setPrompt] = useState("");
  const [long, setLong] = useState(String(seconds || 1));
  const add = (event: Event) => {
    event.preventDefault();
    onAdd({ prompt, seconds: Number(long) });
    setPrompt("");
  };
  return (
    <form class="scene" onSubmit={add} aria-label="Go on">
      <h3>Scene {number}: what happens next?</h3>
      <div class="part">
        <Shows prompt={prompt} long={long} onPrompt={setPrompt} onLong={setLong} />
        <button type="submit">Add the scene</button>
      </div>
    </form>
  );
}
