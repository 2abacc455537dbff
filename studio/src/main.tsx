// The studio: a prompt, the queue, and a gallery that the server remembers.

import { render } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { ask, type Model, type Video } from "./api";
import { Ask } from "./ask";
import { Card } from "./card";
import "./studio.css";

const PAGE = 24; // videos that are fetched at once

interface Page {
  data: Video[];
  has_more: boolean;
}

function Studio() {
  const [models, setModels] = useState<Model[]>([]);
  const [videos, setVideos] = useState<Video[]>([]);
  const [more, setMore] = useState(false);
  const [limit, setLimit] = useState(PAGE);
  const [query, setQuery] = useState("");
  const [favourites, setFavourites] = useState(false);
  const [error, setError] = useState("");
  const [reuse, setReuse] = useState<Video | null>(null);

  const refresh = useCallback(async () => {
    try {
      let found: Video[] = [], rest = true;
      while (rest && found.length < limit) {
        const after = found.length ? `&after=${found[found.length - 1].id}` : "";
        const words = `&q=${encodeURIComponent(query)}&favourite=${favourites}`;
        const page = await ask<Page>("GET", `/v1/videos?limit=${PAGE}${after}${words}`);
        found = [...found, ...page.data];
        rest = page.has_more;
      }
      setVideos(found);
      setMore(rest);
    } catch (problem) {
      setError(String((problem as Error).message));
    }
  }, [limit, query, favourites]);

  useEffect(() => {
    ask<{ data: Model[] }>("GET", "/v1/models").then((found) => setModels(found.data), (e) => setError(e.message));
  }, []);
  useEffect(() => {
    refresh();
    const timer = setInterval(refresh, 5000);
    return () => clearInterval(timer);
  }, [refresh]);

  return (
    <>
      <header>
        <h1>Storyreel</h1>
        <nav>
          <input
            type="search" placeholder="Search" aria-label="Search the gallery" value={query}
            onInput={(event) => setQuery(event.currentTarget.value)}
          />
          <button aria-pressed={favourites} onClick={() => setFavourites(!favourites)}>
            ★ Favourites
          </button>
        </nav>
      </header>
      <main>
        <Ask models={models} reuse={reuse} onChange={refresh} onError={setError} />
        {error && (
          <p class="error" role="alert">
            {error} <button aria-label="Close" onClick={() => setError("")}>×</button>
          </p>
        )}
        <section class="gallery" aria-label="Videos, the newest first">
          {videos.map((video) => (
            <Card key={video.id} video={video} onChange={refresh} onError={setError} onReuse={setReuse} />
          ))}
        </section>
        {videos.length === 0 && <p class="empty">{query || favourites ? "Nothing is found." : "No videos yet. Type a sentence."}</p>}
        {more && <button onClick={() => setLimit(limit + PAGE)}>Show more</button>}
      </main>
    </>
  );
}

render(<Studio />, document.getElementById("app")!);
