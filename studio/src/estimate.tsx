// What a video will take, before the button is pressed.

import { useEffect, useState } from "preact/hooks";
import { ask, type Estimate, type Fields } from "./api";

const PAUSE = 400; // milliseconds after the last key

interface Props {
  fields: Fields;
  times: number;
  tries: number;
  news: string; // changes whenever a video does, which may say more
}

export function Cost({ fields, times, tries, news }: Props) {
  const [found, setFound] = useState<Estimate | null>(null);
  const [refusal, setRefusal] = useState("");
  const empty = !fields.prompt;
  const body = JSON.stringify(empty ? { ...fields, prompt: "-", max_tries: 1 } : fields);
  useEffect(() => {
    if (!fields.model) return;
    let current = true;
    const look = () =>
      ask<Estimate>("POST", "/v1/estimate", JSON.parse(body)).then(
        (estimate) => {
          if (!current) return;
          setFound(estimate);
          setRefusal("");
        },
        (error) => {
          if (!current) return;
          setFound(null);
          setRefusal(error.message);
        },
      );
    const timer = setTimeout(look, PAUSE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [body, news]);
  if (refusal) return <p class="cost bad">{refusal}</p>;
  const each = found?.seconds ?? null;
  const loading = found?.loading ? `, and ${time(found.loading)} to load the model` : "";
  return (
    <p class="cost" title="Measured from the videos that this model has made here; -- where there is none yet.">
      Takes <b>{each === null ? "--" : `about ${time(each * times)}`}</b>
      {tries > 1 ? " a try" : ""}
      {loading} · memory <b>{found?.memory ? bytes(found.memory) : "--"}</b>
      {found?.waiting ? ` · ${found.waiting} before it` : ""}
    </p>
  );
}

export function time(seconds: number): string {
  if (seconds < 10) return `${seconds.toPrecision(2)} s`;
  return seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

const bytes = (count: number) => (count < 1e9 ? `${Math.round(count / 1e6)} MB` : `${(count / 1e9).toFixed(1)} GB`);
