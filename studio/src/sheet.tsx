// Clips from their sprite sheets: every frame is at hand, so that several play in step, and transparency shows.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { json, media } from "./api";

interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

interface Frame {
  frame: Box;
  rotated?: boolean;
  spriteSourceSize?: Box;
  sourceSize?: { w: number; h: number };
  duration?: number; // milliseconds
}

export interface Sheet {
  image: HTMLImageElement;
  frames: Frame[];
  ends: number[]; // milliseconds, of each frame
  width: number;
  height: number;
}

export async function loadSheet(id: string): Promise<Sheet> {
  const content = `/v1/videos/${id}/content?variant=`;
  const [atlas, source] = await Promise.all([json<{ frames: Frame[] | Record<string, Frame> }>(`${content}atlas`), media(`${content}spritesheet`)]);
  const image = new Image();
  image.src = source;
  await image.decode();
  const frames = Array.isArray(atlas.frames) ? atlas.frames : Object.values(atlas.frames);
  let end = 0;
  const ends = frames.map((each) => (end += each.duration ?? 125));
  const { w, h } = frames[0].sourceSize ?? frames[0].frame;
  return { image, frames, ends, width: w, height: h };
}

export function useSheet(id: string | undefined): Sheet | null {
  const [sheet, setSheet] = useState<Sheet | null>(null);
  useEffect(() => {
    let current = true;
    setSheet(null);
    if (id) loadSheet(id).then((found) => current && setSheet(found), () => {});
    return () => {
      current = false;
    };
  }, [id]);
  return sheet;
}

// Milliseconds since it began to play, again and again over `length`; `seek` sets it, and stops.
export function useClock(length: number) {
  const [at, setAt] = useState(0);
  const [plays, setPlays] = useState(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  const last = useRef(0);
  useEffect(() => {
    if (!plays || length <= 0) return;
    let frame = requestAnimationFrame(function step(now) {
      const passed = last.current ? now - last.current : 0;
      last.current = now;
      setAt((before) => (before + passed) % length);
      frame = requestAnimationFrame(step);
    });
    return () => {
      last.current = 0;
      cancelAnimationFrame(frame);
    };
  }, [plays, length]);
  const seek = (to: number) => {
    setPlays(false);
    setAt(to);
  };
  return { at, plays, setPlays, seek };
}

const index = (sheet: Sheet, at: number) => {
  const time = at % sheet.ends[sheet.ends.length - 1];
  return sheet.ends.findIndex((end) => time < end);
};

// A frame of one sheet; with a second one, that on the right of `split` (0 to 1).
export function Picture({ sheet, at, other, split = 1, label }: { sheet: Sheet; at: number; other?: Sheet | null; split?: number; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const left = index(sheet, at);
  const right = other ? index(other, at) : -1;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, sheet.width, sheet.height);
    const cut = other ? Math.round(split * sheet.width) : sheet.width;
    draw(context, sheet, left, 0, cut, sheet.width, sheet.height);
    if (other) draw(context, other, right, cut, sheet.width, sheet.width, sheet.height);
  }, [sheet, other, left, right, split]);
  return <canvas ref={canvas} width={sheet.width} height={sheet.height} role="img" aria-label={label} />;
}

function draw(context: CanvasRenderingContext2D, sheet: Sheet, n: number, from: number, to: number, width: number, height: number) {
  const { frame, rotated, spriteSourceSize: at } = sheet.frames[n];
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from, height);
  context.clip();
  context.imageSmoothingEnabled = false;
  context.scale(width / sheet.width, height / sheet.height);
  context.translate(at?.x ?? 0, at?.y ?? 0);
  if (rotated) {
    context.rotate(-Math.PI / 2);
    context.drawImage(sheet.image, frame.x, frame.y, frame.h, frame.w, -frame.h, 0, frame.h, frame.w);
  } else context.drawImage(sheet.image, frame.x, frame.y, frame.w, frame.h, 0, 0, frame.w, frame.h);
  context.restore();
}

export function Transport({ clock, length }: { clock: ReturnType<typeof useClock>; length: number }) {
  return (
    <div class="transport">
      <button onClick={() => clock.setPlays(!clock.plays)}>{clock.plays ? "Pause" : "Play"}</button>
      <input
        type="range" min={0} max={Math.max(1, Math.floor(length) - 1)} step={1} value={Math.floor(clock.at)} aria-label="Time"
        aria-valuetext={`${(clock.at / 1000).toFixed(2)} of ${(length / 1000).toFixed(2)} seconds`}
        onInput={(event) => clock.seek(Number(event.currentTarget.value))}
      />
    </div>
  );
}
