// The form: a sentence or a story, its settings, what the model can show, and what it will take.

import { useRef, useState } from "preact/hooks";
import { ask, create, type Model, type Video } from "./api";
import { Chips } from "./chips";
import { canTellStories, common, request, usualSeconds, type Draft } from "./draft";
import { Cost } from "./estimate";
import { Settings } from "./settings";
import { Parts } from "./timeline";

interface Props {
  models: Model[];
  draft: Draft;
  file: File | null;
  news: string;
  onDraft: (draft: Draft) => void;
  onFile: (file: File | null) => void;
  onMade: (videos: Video[]) => void;
  onError: (line: string) => void;
}

export function Compose({ models, draft, file, news, onDraft, onFile, onMade, onError }: Props) {
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const model = models.find((each) => each.id === draft.model) ?? models[0];
  const change = (part: Partial<Draft>) => onDraft({ ...draft, ...part });
  const story = draft.story && canTellStories(model);

  const make = async (event?: Event) => {
    event?.preventDefault();
    if (busy) return;
    setBusy(true);
    const made: Video[] = [];
    try {
      if (story) made.push(await makeStory(draft, model, file));
      else for (let n = 0; n < draft.count; n++) made.push(await create(request(draft, model, Number(draft.seed || 0) + n), file));
      onError("");
    } catch (error) {
      onError((error as Error).message);
    }
    setBusy(false);
    if (made.length) onMade(made);
  };
  const total = draft.parts.reduce((sum, part) => sum + (Number(part.seconds) || 0), 0);
  const whole = { ...common(draft, model), prompt: draft.parts[0].prompt, ...(total > 0 ? { seconds: total } : {}) };
  return (
    <form class="ask" ref={form} onSubmit={make} aria-label="New video">
      {canTellStories(model) && (
        <div class="modes" role="group" aria-label="What to make">
          <button type="button" aria-pressed={!story} onClick={() => change({ story: false })}>
            One clip
          </button>
          <button type="button" aria-pressed={story} onClick={() => change({ story: true })}>
            A story in scenes
          </button>
        </div>
      )}
      {story ? (
        <Parts parts={draft.parts} onChange={(parts) => change({ parts })} />
      ) : (
        <>
          <label for="prompt">What shall the video show?</label>
          <textarea
            id="prompt" rows={2} value={draft.prompt} maxLength={4000} required={!file}
            placeholder="an orc in plate armor walking, facing left"
            onInput={(event) => change({ prompt: event.currentTarget.value })}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
              event.preventDefault();
              form.current?.requestSubmit();
            }}
          />
        </>
      )}
      <Settings models={models} model={model} draft={draft} story={story} file={file} onChange={change} onFile={onFile} />
      {Object.keys(draft.rest).length > 0 && (
        <p class="rest">
          Also set:{" "}
          {Object.entries(draft.rest).map(([name, value]) => (
            <button
              type="button" key={name} aria-label={`Leave out ${name}`}
              onClick={() => change({ rest: Object.fromEntries(Object.entries(draft.rest).filter(([each]) => each !== name)) })}
            >
              {name.replace(/_/g, " ")} {String(value)} ×
            </button>
          ))}
        </p>
      )}
      <div class="go">
        <Cost fields={story ? whole : request(draft, model, Number(draft.seed || 0))} times={story ? 1 : draft.count} tries={draft.tries} news={news} />
        <button class="make" type="submit" disabled={busy}>
          {story ? "Make the story" : draft.count > 1 ? `Make ${draft.count}` : "Make"}
        </button>
      </div>
      {model && !story && <Chips model={model} onPick={(word) => change({ prompt: `${draft.prompt} ${word}`.trim() })} />}
    </form>
  );
}

// Scene after scene; each waits in the queue for the one that it goes on from. The last one is the whole story.
async function makeStory(draft: Draft, model: Model | undefined, file: File | null): Promise<Video> {
  const usual = String(usualSeconds(model) ?? 1);
  let last: Video | null = null;
  for (const part of draft.parts) {
    const fields = { ...common(draft, model), prompt: part.prompt, seconds: Number(part.seconds || usual), seed: Number(draft.seed || 0) };
    last = last ? await ask<Video>("POST", "/v1/videos/extensions", { ...fields, video: { id: last.id } }) : await create(fields, file);
  }
  return last!;
}
