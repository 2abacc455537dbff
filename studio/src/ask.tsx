// The prompt and its settings, with chips of what the model's world can show.

import { useEffect, useState } from "preact/hooks";
import { ask, type Model, type Video } from "./api";

const CHIPS = 12; // of an attribute

interface Props {
  models: Model[];
  reuse: Video | null;
  onChange: () => void;
  onError: (line: string) => void;
}

export function Ask({ models, reuse, onChange, onError }: Props) {
  const [prompt, setPrompt] = useState("");
  const [name, setName] = useState("");
  const [seed, setSeed] = useState("0");
  const [count, setCount] = useState(1);
  const [seconds, setSeconds] = useState("");
  const [format, setFormat] = useState("");
  const [transparent, setTransparent] = useState(false);
  const model = models.find((each) => each.id === name) ?? models[0];

  useEffect(() => {
    if (!reuse) return;
    setPrompt(reuse.prompt ?? "");
    setName(reuse.model);
    setSeed(String(reuse.storyreel.seed));
    setFormat(reuse.storyreel.format);
    setTransparent(reuse.storyreel.settings.transparent === true);
    setSeconds(String(reuse.storyreel.settings.seconds ?? ""));
    document.getElementById("prompt")?.focus();
  }, [reuse]);

  const make = async (event: Event) => {
    event.preventDefault();
    try {
      for (let n = 0; n < count; n++) {
        const body: Record<string, unknown> = { prompt, model: model?.id, seed: Number(seed || 0) + n };
        if (seconds) body.seconds = Number(seconds);
        if (format) body.format = format;
        if (transparent) body.transparent = true;
        await ask("POST", "/v1/videos", body);
      }
      onError("");
      onChange();
    } catch (error) {
      onError(String((error as Error).message));
    }
  };
  const able = model?.storyreel;
  const longest = able?.max_frames && able.fps ? able.max_frames / rate(able.fps) : undefined;
  return (
    <form class="ask" onSubmit={make}>
      <label for="prompt">What shall the video show?</label>
      <textarea
        id="prompt"
        rows={2}
        value={prompt}
        maxLength={4000}
        required
        placeholder="an orc in plate armor walking, facing left"
        onInput={(event) => setPrompt(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && !event.shiftKey && event.currentTarget.value && make(event)}
      />
      <div class="settings">
        <label>
          Model
          <select value={model?.id} onChange={(event) => setName(event.currentTarget.value)}>
            {models.map((each) => (
              <option key={each.id}>{each.id}</option>
            ))}
          </select>
        </label>
        <label>
          Seed
          <input type="number" min={0} value={seed} onInput={(event) => setSeed(event.currentTarget.value)} />
        </label>
        <label>
          Seeds side by side
          <input
            type="number" min={1} max={16} value={count}
            onInput={(event) => setCount(Math.max(1, Math.min(16, Number(event.currentTarget.value) || 1)))}
          />
        </label>
        <label>
          Seconds
          <input
            type="number" step="any" min={0} max={longest} value={seconds}
            placeholder={able?.frames && able.fps ? String(able.frames / rate(able.fps)) : "usual"}
            onInput={(event) => setSeconds(event.currentTarget.value)}
          />
        </label>
        <label>
          Format
          <select value={format} onChange={(event) => setFormat(event.currentTarget.value)}>
            <option value="">usual</option>
            {["mp4", "webm", "gif", "webp", "apng"].map((each) => (
              <option key={each} disabled={transparent && each === "mp4"}>
                {each}
              </option>
            ))}
          </select>
        </label>
        {able && !able.cannot.includes("transparent") && (
          <label class="check">
            <input
              type="checkbox"
              checked={transparent}
              onChange={(event) => {
                setTransparent(event.currentTarget.checked);
                if (event.currentTarget.checked && format === "mp4") setFormat("");
              }}
            />
            Transparent
          </label>
        )}
        <button class="make" type="submit">
          Make
        </button>
      </div>
      {able && Object.keys(able.attributes).length > 0 && (
        <details class="chips">
          <summary>What {model.id} can show</summary>
          {Object.entries(able.attributes).map(([attribute, values]) => (
            <div key={attribute} role="group" aria-label={attribute}>
              <b>{attribute.replace(/_/g, " ")}</b>
              {Object.values(values).slice(0, CHIPS).map((word) => (
                <button type="button" key={word} onClick={() => setPrompt(`${prompt} ${word}`.trim())}>
                  {word}
                </button>
              ))}
            </div>
          ))}
        </details>
      )}
    </form>
  );
}

function rate(fps: string): number {
  const [above, below] = fps.split("/").map(Number);
  return above / (below || 1);
}
