// Scenes to be made, on a time line: what each shows and how long it lasts.

import type { Part } from "./draft";

export function Parts({ parts, onChange }: { parts: Part[]; onChange: (parts: Part[]) => void }) {
  const total = parts.reduce((sum, part) => sum + (Number(part.seconds) || 0), 0);
  const change = (n: number, part: Partial<Part>) => onChange(parts.map((each, i) => (i === n ? { ...each, ...part } : each)));
  const swap = (n: number) => onChange(parts.map((each, i) => (i === n ? parts[n - 1] : i === n - 1 ? parts[n] : each)));
  return (
    <fieldset class="parts">
      <legend>
        Scenes, {total.toLocaleString("en", { maximumFractionDigits: 2 })} seconds in all
      </legend>
      <ol class="timeline" aria-hidden="true">
        {parts.map((part, n) => (
          <li key={n} style={{ flexGrow: Math.max(0.05, Number(part.seconds) || 0) }}>
            {n + 1}
          </li>
        ))}
      </ol>
      <ol>
        {parts.map((part, n) => (
          <li key={n} class="part">
            <label>
              Scene {n + 1}
              <input
                value={part.prompt} required maxLength={4000} id={n ? undefined : "first-scene"}
                placeholder={n ? "an orc in plate armor casting a spell" : "an orc in plate armor walking, facing left"}
                onInput={(event) => change(n, { prompt: event.currentTarget.value })}
              />
            </label>
            <label>
              Seconds
              <input
                type="number" step="any" min={0.01} required value={part.seconds} aria-label={`Seconds of scene ${n + 1}`}
                onInput={(event) => change(n, { seconds: event.currentTarget.value })}
              />
            </label>
            <span class="actions">
              {n > 0 && (
                <button type="button" onClick={() => swap(n)} aria-label={`Move scene ${n + 1} up`}>
                  ↑
                </button>
              )}
              {parts.length > 1 && (
                <button type="button" onClick={() => onChange(parts.filter((_, i) => i !== n))} aria-label={`Remove scene ${n + 1}`}>
                  ×
                </button>
              )}
            </span>
          </li>
        ))}
      </ol>
      <button type="button" onClick={() => onChange([...parts, { prompt: "", seconds: parts[parts.length - 1].seconds }])}>
        Add a scene
      </button>
    </fieldset>
  );
}
