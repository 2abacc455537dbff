// The settings of the form.

import { rate, type Model } from "./api";
import { NUMBERS, someSeed, usualSeconds, type Draft } from "./draft";

const FORMATS = ["mp4", "webm", "gif", "webp", "apng"];
const ORIGINS: [string, string][] = [["ours", "Ours"], ["folder", "Folders"], ["hub", "From the hub"]];

interface Props {
  models: Model[];
  model: Model | undefined;
  draft: Draft;
  story: boolean;
  file: File | null;
  onChange: (part: Partial<Draft>) => void;
  onFile: (file: File | null) => void;
}

export function Settings({ models, model, draft, story, file, onChange, onFile }: Props) {
  const able = model?.storyreel;
  const longest = able?.max_frames && able.fps ? able.max_frames / rate(able.fps) : undefined;
  const usual = usualSeconds(model);
  const more = ["size", "fps", "format"].some((name) => draft[name as "size"]) || Object.keys(draft.numbers).length > 0;
  return (
    <>
      <div class="settings">
        <label class="wide">
          Model
          <select value={model?.id} onChange={(event) => onChange({ model: event.currentTarget.value, size: "" })}>
            {ORIGINS.map(([origin, title]) => {
              const group = models.filter((each) => each.storyreel.origin === origin);
              return group.length > 0 ? (
                <optgroup key={origin} label={title}>
                  {group.map((each) => (
                    <option key={each.id}>{each.id}</option>
                  ))}
                </optgroup>
              ) : null;
            })}
          </select>
        </label>
        <span class="joined">
          <label>
            Seed
            <input type="number" min={0} value={draft.seed} onInput={(event) => onChange({ seed: event.currentTarget.value })} />
          </label>
          <button type="button" aria-label="Another seed" title="Another seed" onClick={() => onChange({ seed: String(someSeed()) })}>
            ↻
          </button>
        </span>
        {!story && (
          <>
            <label>
              Seeds side by side
              <input
                type="number" min={1} max={16} value={draft.count}
                onInput={(event) => onChange({ count: Math.max(1, Math.min(16, Number(event.currentTarget.value) || 1)) })}
              />
            </label>
            <label>
              Seconds
              <input
                type="number" step="any" min={0} max={longest} value={draft.seconds} placeholder={usual === null ? "usual" : String(usual)}
                onInput={(event) => onChange({ seconds: event.currentTarget.value })}
              />
            </label>
          </>
        )}
        {able && !able.cannot.includes("transparent") && (
          <label class="check">
            <input
              type="checkbox" checked={draft.transparent}
              onChange={(event) => {
                const transparent = event.currentTarget.checked;
                onChange({ transparent, format: transparent && draft.format === "mp4" ? "" : draft.format });
              }}
            />
            Transparent
          </label>
        )}
        {!story && (
          <label class="check" title="Cut so that the video plays over and over without a jump.">
            <input type="checkbox" checked={draft.loop} onChange={(event) => onChange({ loop: event.currentTarget.checked })} />
            Loop
          </label>
        )}
        {able && able.judged.length > 0 && (
          <label class="check" title="Further seeds are tried until the judge sees all that the prompt says; the best one is kept.">
            <input type="checkbox" checked={draft.tries > 1} onChange={(event) => onChange({ tries: event.currentTarget.checked ? 8 : 1 })} />
            Until all is right
          </label>
        )}
        {able && able.judged.length > 0 && draft.tries > 1 && (
          <label>
            At most so many tries
            <input
              type="number" min={2} max={64} value={draft.tries}
              onInput={(event) => onChange({ tries: Math.max(2, Math.min(64, Number(event.currentTarget.value) || 2)) })}
            />
          </label>
        )}
      </div>
      {able?.about && <p class="about">{able.about}</p>}
      <details class="more" open={more || file !== null || undefined}>
        <summary>Size, rate, format, and more</summary>
        <div class="settings">
          <label>
            Size
            {able && able.sizes.length > 0 && !able.any_size ? (
              <select value={draft.size} onChange={(event) => onChange({ size: event.currentTarget.value })}>
                <option value="">usual</option>
                {able.sizes.map((size) => (
                  <option key={size}>{size}</option>
                ))}
              </select>
            ) : (
              <input
                value={draft.size} pattern="[0-9]+x[0-9]+" placeholder={able?.sizes[0] ?? "usual"} title="Width x height, such as 512x320"
                onInput={(event) => onChange({ size: event.currentTarget.value })}
              />
            )}
          </label>
          <label>
            Frames a second
            <input value={draft.fps} placeholder={able?.fps ?? "usual"} inputMode="decimal" onInput={(event) => onChange({ fps: event.currentTarget.value })} />
          </label>
          <label>
            Format
            <select value={draft.format} onChange={(event) => onChange({ format: event.currentTarget.value })}>
              <option value="">usual</option>
              {FORMATS.map((each) => (
                <option key={each} disabled={draft.transparent && each === "mp4"}>
                  {each}
                </option>
              ))}
            </select>
          </label>
          {NUMBERS.filter(([name]) => !able?.cannot.includes(name)).map(([name, title, least, step]) => (
            <label key={name}>
              {title}
              <input
                type="number" min={least} step={step} value={draft.numbers[name] ?? ""} placeholder="usual"
                onInput={(event) => {
                  const { [name]: _, ...others } = draft.numbers;
                  onChange({ numbers: event.currentTarget.value ? { ...others, [name]: event.currentTarget.value } : others });
                }}
              />
            </label>
          ))}
          <label class="wide">
            Begin with a picture, or go on from a clip
            {file ? (
              <button type="button" aria-label={`Leave out ${file.name}`} onClick={() => onFile(null)}>
                {file.name} ×
              </button>
            ) : (
              <input type="file" accept="image/*,video/*" onChange={(event) => onFile(event.currentTarget.files?.[0] ?? null)} />
            )}
          </label>
        </div>
      </details>
    </>
  );
}
