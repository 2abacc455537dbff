// Videos side by side, in step, and two of them under an A/B slider.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask, ended, shortly, type Model, type Video } from "./api";
import { Picture, Transport, loadSheet, useClock, type Sheet } from "./sheet";
import { Ticks } from "./ticks";

interface Props {
  ids: string[];
  models: Model[];
  onClose: () => void;
  onError: (line: string) => void;
  onReuse: (video: Video) => void;
}

export function Compare({ ids, models, onClose, onError, onReuse }: Props) {
  const [videos, setVideos] = useState<Video[]>([]);
  const [sheets, setSheets] = useState<Record<string, Sheet>>({});
  const asked = useRef(new Set<string>()); // whose sheets are loaded, or are being loaded
  const [pair, setPair] = useState<[string, string]>([ids[0], ids[1] ?? ids[0]]);
  const [split, setSplit] = useState(0.5);
  const lengths = Object.values(sheets).map((sheet) => sheet.ends[sheet.ends.length - 1]);
  const length = Math.max(0, ...lengths);
  const clock = useClock(length);

  const look = async () => {
    try {
      const found = await Promise.all(ids.map((id) => ask<Video>("GET", `/v1/videos/${id}`)));
      setVideos(found);
      for (const video of found)
        if (video.storyreel.has_content && !asked.current.has(video.id)) {
          asked.current.add(video.id);
          loadSheet(video.id).then((sheet) => setSheets((before) => ({ ...before, [video.id]: sheet })), () => asked.current.delete(video.id));
        }
      return found.every(ended);
    } catch (problem) {
      onError((problem as Error).message);
      return true;
    }
  };
  useEffect(() => {
    let timer = 0, over = false;
    const again = async () => {
      if (!(await look()) && !over) timer = window.setTimeout(again, 1500);
    };
    again();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [ids.join()]);

  const favourite = async (video: Video) => {
    await ask("PATCH", `/v1/videos/${video.id}`, { favourite: !video.storyreel.favourite }).catch((e) => onError(e.message));
    look();
  };
  const [a, b] = pair.map((id) => sheets[id]);
  const name = (id: string) => `seed ${videos.find((video) => video.id === id)?.storyreel.seed ?? ""}`;
  return (
    <section class="view" aria-labelledby="compare">
      <div class="bar">
        <h2 id="compare">Side by side</h2>
        <button onClick={onClose}>Back to all videos</button>
      </div>
      <Transport clock={clock} length={length} />
      {a && b && pair[0] !== pair[1] && (
        <figure class="ab">
          <div class="checker stage">
            <Picture sheet={a} other={b} at={clock.at} split={split} label={`A, ${name(pair[0])}, on the left, and B, ${name(pair[1])}, on the right`} />
            <span class="split" style={{ left: `${split * 100}%` }} aria-hidden="true" />
          </div>
          <label class="slider">
            <span>A: {name(pair[0])}</span>
            <input
              type="range" min={0} max={100} value={Math.round(split * 100)} aria-label="How much of A is shown"
              aria-valuetext={`${Math.round(split * 100)} % of A`} onInput={(event) => setSplit(Number(event.currentTarget.value) / 100)}
            />
            <span>B: {name(pair[1])}</span>
          </label>
        </figure>
      )}
      <ul class="gallery compared">
        {videos.map((video) => (
          <li key={video.id} class="card">
            <div class="checker picture">
              {sheets[video.id] ? <Picture sheet={sheets[video.id]} at={clock.at} label={video.prompt ?? "a story"} /> : <p>{video.error?.message ?? (video.storyreel.step || "waits")}</p>}
            </div>
            <h3>{video.prompt ?? "a story"}</h3>
            <p class="facts">
              {video.model} · seed {video.storyreel.seed} · {shortly(video.seconds)} s
            </p>
            <Ticks video={video} models={models} />
            <div class="actions">
              {(["A", "B"] as const).map((side, n) => (
                <button
                  key={side} aria-pressed={pair[n] === video.id} aria-label={`Show as ${side}`}
                  onClick={() => setPair(n ? [pair[0], video.id] : [video.id, pair[1]])}
                >
                  {side}
                </button>
              ))}
              <button aria-pressed={video.storyreel.favourite} aria-label="Favourite" onClick={() => favourite(video)}>
                {video.storyreel.favourite ? "★" : "☆"}
              </button>
              <button onClick={() => onReuse(video)}>Remix</button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
