// What a judge of the model's world sees of what the prompt says: a tick or a cross each.

import type { Model, Video } from "./api";

export function Ticks({ video, models }: { video: Video; models: Model[] }) {
  const { ticks = [], tries } = video.storyreel.result ?? {};
  if (ticks.length === 0) return null;
  const words = models.find((model) => model.id === video.model)?.storyreel.attributes ?? {};
  const word = (attribute: string, value: string) => words[attribute]?.[value] ?? value;
  return (
    <ul class="ticks" aria-label="What the judge sees">
      {ticks.map((tick, n) => (
        <li key={n} class={tick.right ? "right" : "wrong"} title={`${tick.attribute.replace(/_/g, " ")}: ${word(tick.attribute, tick.seen)}`}>
          {word(tick.attribute, tick.expected)} <span aria-hidden="true">{tick.right ? "✓" : "✗"}</span>
          <span class="unseen">{tick.right ? "is right" : `is wrong: it shows ${word(tick.attribute, tick.seen)}`}</span>
        </li>
      ))}
      {tries && tries > 1 ? <li class="tries">{tries} tries</li> : null}
    </ul>
  );
}
