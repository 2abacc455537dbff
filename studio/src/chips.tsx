// What a model's world knows, to be clicked into the prompt.

import type { Model } from "./api";

const SHOWN = 12; // values of an attribute, before the rest

export function Chips({ model, onPick }: { model: Model; onPick: (word: string) => void }) {
  const attributes = Object.entries(model.storyreel.attributes);
  if (attributes.length === 0) return null;
  return (
    <details class="chips">
      <summary>What {model.id} can show</summary>
      {attributes.map(([attribute, values]) => {
        const words = [...new Set(Object.values(values))];
        const chip = (word: string) => (
          <button type="button" key={word} onClick={() => onPick(word)}>
            {word}
          </button>
        );
        return (
          <div key={attribute} role="group" aria-label={attribute.replace(/_/g, " ")}>
            <b>{attribute.replace(/_/g, " ")}</b>
            {words.slice(0, SHOWN).map(chip)}
            {words.length > SHOWN && (
              <details>
                <summary>{words.length - SHOWN} more</summary>
                {words.slice(SHOWN).map(chip)}
              </details>
            )}
          </div>
        );
      })}
    </details>
  );
}
