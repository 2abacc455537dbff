// The studio: a prompt, the queue, and a gallery that the server remembers.

import { render } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ask, ended, provenance, Refused, type Model, type Models, type Video, type Videos } from "./api";
import { Card } from "./card";
import { Compare } from "./compare";
import { Compose } from "./compose";
import { draftOf, EMPTY, fieldsOf } from "./draft";
import { Dropped } from "./drop";
import { Story } from "./story";
import "./studio.css";

const PAGE = 24; // videos that are fetched at once
const FOLLOWED = 3; // videos whose events are read: a browser opens six connections to a server
const MAX_COMPARED = 16;

// What is looked at: #story=ID, #compare=ID,ID, or all videos.
function useView(): [string, string[]] {
  const read = () => location.hash.slice(1).split("=") as [string, string?];
  const [hash, setHash] = useState(read);
  useEffect(() => {
    const changed = () => setHash(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return [hash[0], (hash[1] ?? "").split(",").filter((id) => /^video_[0-9a-f]{32}$/.test(id))];
}

function Studio() {
  const [models, setModels] = useState<Model[]>([]);
  const [videos, setVideos] = useState<Video[]>([]);
  const [more, setMore] = useState(false);
  const [loaded, setLoaded] = useState(false);
  const [limit, setLimit] = useState(PAGE);
  const [query, setQuery] = useState("");
  const [favourites, setFavourites] = useState(false);
  const [sort, setSort] = useState("created");
  const [error, setError] = useState("");
  const [notice, setNotice] = useState("");
  const [draft, setDraft] = useState(EMPTY);
  const [file, setFile] = useState<File | null>(null);
  const [compared, setCompared] = useState<string[]>([]);
  const [view, ids] = useView();
  const busy = useRef(false);
  const working = useRef(new Set<string>());

  const refresh = useCallback(async () => {
    if (busy.current) return;
    busy.current = true;
    try {
      let found: Video[] = [], rest = true;
      while (rest && found.length < limit) {
        const after = found.length ? `&after=${found[found.length - 1].id}` : "";
        const words = `&q=${encodeURIComponent(query)}&favourite=${favourites}&sort=${sort}`;
        const page = await ask<Videos>("GET", `/v1/videos?limit=${PAGE}${after}${words}`);
        found = [...found, ...page.data];
        rest = page.has_more;
      }
      const done = found.filter((video) => ended(video) && working.current.has(video.id));
      if (done.length) setNotice(done.map((video) => `${video.status === "completed" ? "Made" : "Not made"}: ${video.prompt ?? "a story"}`).join(". "));
      working.current = new Set(found.filter((video) => !ended(video)).map((video) => video.id));
      setVideos(found);
      setMore(rest);
      setLoaded(true);
    } catch (problem) {
      setError((problem as Error).message);
    }
    busy.current = false;
  }, [limit, query, favourites, sort]);

  useEffect(() => {
    ask<Models>("GET", "/v1/models").then((found) => setModels(found.data), (e) => setError(e.message));
  }, []);
  const waiting = videos.some((video) => !ended(video));
  useEffect(() => {
    if (view) return;
    refresh();
    const timer = setInterval(refresh, waiting ? 1000 : 5000);
    return () => clearInterval(timer);
  }, [refresh, waiting, view]);

  const go = (hash: string) => {
    location.hash = hash;
  };
  const write = (next: typeof draft) => {
    setDraft(next);
    go("");
    setTimeout(() => document.getElementById(next.story ? "first-scene" : "prompt")?.focus());
  };
  const made = (found: Video[]) => {
    setNotice(found.length > 1 ? `${found.length} videos are in the queue.` : "The video is in the queue.");
    if (found.length > 1) setCompared(found.map((video) => video.id));
    if (draft.story && found[0].storyreel.follows) go(`story=${found[0].id}`);
    refresh();
  };
  const drop = async (dropped: File) => {
    setError("");
    try {
      const found = await provenance(dropped);
      write(draftOf(found.request));
      const names: Record<string, string> = { image: "picture", lora: "LoRA file" };
      const lacks = found.inputs.map((name) => ` It was made with a ${names[name] ?? "clip"}, which the file does not hold.`).join("");
      setNotice(found.served ? `The settings of ${dropped.name} are set.${lacks}` : `${dropped.name} was made by ${found.model ?? "a model"}, which is not served here; its other settings are set.${lacks}`);
    } catch (problem) {
      if (!(problem instanceof Refused && /does not say what made it/.test(problem.message))) return setError((problem as Error).message);
      setFile(dropped);
      go("");
      setNotice(`${dropped.name} was not made here: the next video begins with it.`);
    }
  };
  const compare = (video: Video) => {
    const without = compared.filter((id) => id !== video.id);
    setCompared(without.length < compared.length ? without : [...compared, video.id].slice(-MAX_COMPARED));
  };
  const queue = videos.filter((video) => video.status === "queued");
  const before = (video: Video) => queue.find((each) => each.storyreel.queue_position === (video.storyreel.queue_position ?? 0) - 1);
  const followed = videos.filter((video) => video.status === "in_progress").slice(0, FOLLOWED);
  return (
    <>
      <header>
        <h1>Storyreel</h1>
        <nav aria-label="Videos">
          <input
            type="search" placeholder="Search" aria-label="Search the videos" value={query}
            onInput={(event) => setQuery(event.currentTarget.value)}
          />
          <button aria-pressed={favourites} onClick={() => setFavourites(!favourites)}>
            ★ Favourites
          </button>
          <select aria-label="Sort by" value={sort} onChange={(event) => setSort(event.currentTarget.value)}>
            <option value="created">Newest first</option>
            <option value="right">Most right first</option>
          </select>
          <Dropped onFile={drop} />
        </nav>
      </header>
      <main>
        {error && (
          <p class="error" role="alert">
            {error} <button aria-label="Close" onClick={() => setError("")}>×</button>
          </p>
        )}
        <p class="notice" role="status">
          {notice}
        </p>
        {view === "story" && ids[0] ? (
          <Story id={ids[0]} models={models} onGo={(id) => go(`story=${id}`)} onClose={() => go("")} onError={setError} />
        ) : view === "compare" && ids.length > 0 ? (
          <Compare ids={ids} models={models} onClose={() => go("")} onError={setError} onReuse={(video) => write(draftOf(fieldsOf(video)))} />
        ) : (
          <>
            <Compose models={models} draft={draft} file={file} news={videos.map((video) => video.status[0]).join("")}
              onDraft={setDraft} onFile={setFile} onMade={made} onError={setError} />
            <section aria-label="Videos">
              <div class="gallery">
                {videos.map((video) => (
                  <Card
                    key={video.id} video={video} follow={followed.includes(video)} before={before(video)} compared={compared.includes(video.id)}
                    models={models} onChange={refresh} onError={setError} onReuse={(each) => write(draftOf(fieldsOf(each)))} onCompare={compare}
                  />
                ))}
              </div>
              {loaded && videos.length === 0 && (
                <p class="empty">{query || favourites ? `Nothing found${query ? ` of “${query}”` : ""}${favourites ? " among the favourites" : ""}. ${query ? "Clear the search" : "Mark a video with ☆"} to see videos here.` : "No videos yet. Type a sentence and press Make."}</p>
              )}
              {more && <button onClick={() => setLimit(limit + PAGE)}>Show more</button>}
            </section>
            {compared.length > 0 && (
              <div class="tray" role="region" aria-label="To compare">
                <span>{compared.length === 1 ? "One video is chosen; choose another" : `${compared.length} videos are chosen`}</span>
                {compared.length > 1 && <button class="make" onClick={() => go(`compare=${compared.join(",")}`)}>Side by side</button>}
                <button onClick={() => setCompared([])}>None</button>
              </div>
            )}
          </>
        )}
      </main>
    </>
  );
}

render(<Studio />, document.getElementById("app")!);
