// Files that are dropped anywhere on the page, or opened by a button.

import { useEffect, useRef, useState } from "preact/hooks";

export function Dropped({ onFile }: { onFile: (file: File) => void }) {
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const latest = useRef(onFile);
  latest.current = onFile;

  useEffect(() => {
    const holds = (event: DragEvent) => event.dataTransfer?.types.includes("Files");
    const drag = (event: DragEvent) => {
      if (!holds(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => event.relatedTarget === null && setOver(false);
    const drop = (event: DragEvent) => {
      if (!holds(event)) return;
      event.preventDefault();
      setOver(false);
      const file = event.dataTransfer?.files[0];
      if (file) latest.current(file);
    };
    addEventListener("dragover", drag);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", drag);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, []);
  return (
    <>
      <button title="A video or sprite sheet that was made here: its settings are set again. Another picture or clip: the next video begins with it. You may also drop the file anywhere on the page." onClick={() => input.current?.click()}>
        Open a file
      </button>
      <input
        ref={input} type="file" hidden aria-label="File to open"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (file) onFile(file);
        }}
      />
      {over && <div class="dropping">Drop it to set its settings again, or to begin with it</div>}
    </>
  );
}
