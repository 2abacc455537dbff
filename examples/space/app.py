"""A Space of Hugging Face, or a page on this machine: a sentence in, a video out. Run: python app.py"""

import os
import tempfile
from pathlib import Path

import gradio as gr

import storyreel

model = storyreel.load(os.environ.get("STORYREEL_MODEL", "phenaki-sprites"))
FOLDER = Path(tempfile.mkdtemp())


def make(prompt: str, seed: float, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
    """The file of one video. What the model cannot make is said on the page."""
    try:
        clip = model(prompt, seed=int(seed), on_progress=lambda step: progress((step.done, step.total)))[0]
    except ValueError as error:
        raise gr.Error(str(error)) from None
    return str(clip.save(FOLDER / f"{abs(hash((prompt, int(seed))))}.mp4"))


sentence = gr.Textbox(label="What the video shows", value="an orc in plate armor walking, facing left")
video = gr.Video(label="Video", autoplay=True, loop=True)
page = gr.Interface(make, [sentence, gr.Number(0, label="Seed")], video, title=model.name)

if __name__ == "__main__":
    page.launch()
