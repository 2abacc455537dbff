"""Routes that the studio's page needs besides the API: a story's scenes, what a video will take, what made a file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from storyreel.options.input_clip import INPUTS
from storyreel.serve import objects
from storyreel.serve.api import Api, read_body
from storyreel.serve.errors import ApiError
from storyreel.serve.estimate import estimate
from storyreel.serve.json_answer import JsonAnswer
from storyreel.serve.scenes import story_of
from storyreel.serve.schema import CREATE, FILE
from storyreel.serve.settings import FIELDS, FORMATS, read_fields, understand
from storyreel.serve.studio import Studio


def router(api: Api) -> APIRouter:
    routes, studio = APIRouter(), api.studio

    @routes.get("/v1/videos/{id}/story", tags=["studio"])
    async def story(request: Request, id: str) -> JsonAnswer:
        """The scenes of the story that a video is part of, each with its versions and the one that is chosen."""

        def found() -> list[objects.Scene]:
            return [
                {"chosen": chosen.id, "versions": [api.shown(request, each) for each in versions]}
                for chosen, versions in story_of(studio.table, studio.video(id))
            ]

        return JsonAnswer({"object": "story", "scenes": await run_in_threadpool(found)})

    @routes.post("/v1/estimate", openapi_extra=CREATE, tags=["studio"])
    async def estimated(request: Request) -> JsonAnswer:
        """What a video would take, by what its model took for others here; null where nothing is known. Makes none."""
        body, _ = await read_body(request)

        def found() -> objects.Estimate:
            values = read_fields(body)
            model = studio.model(values.get("model"))
            settings = understand(values, model, {}).settings
            return estimate(studio.table, model, settings, studio.began)

        return JsonAnswer(await run_in_threadpool(found))

    @routes.post("/v1/provenance", openapi_extra=FILE, tags=["studio"])
    async def provenance(request: Request) -> JsonAnswer:
        """The request that would make a file again: a video or a sprite sheet that storyreel made."""
        _, upload = await read_body(request)
        if upload is None:
            raise ApiError(400, "input_reference: expected a file", param="input_reference", code="missing_parameter")
        return JsonAnswer(await run_in_threadpool(_request_in, studio, upload))

    return routes


def _request_in(studio: Studio, content: bytes) -> objects.Provenance:
    """The fields of a request, `served` whether its model is, and `inputs` that it had and the file does not hold."""
    from storyreel.generate.provenance import options_in, origin_of
    from storyreel.video_io import probe, read_meta

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        file.write_bytes(content)
        try:
            origin, facts = origin_of(file, {"lora": ()}), probe(file)
            options = options_in(read_meta(file) or {})
        except (ValueError, OSError) as error:
            message = " ".join(str(error).split()).replace(f"{file}: ", "").replace(str(file), "the file")
            raise ApiError(400, f"input_reference: {message}", param="input_reference", code="invalid_file") from None
    settings = origin.options.as_json()
    fields = {name: value for name, value in settings.items() if name in FIELDS and value not in (None, "", [])}
    fields["seed"] = origin.seed
    if (format := str(facts["format"]).partition(" ")[0]) in FORMATS:  # "mp4 (h264)"
        fields["format"] = format
    model = studio.models.get(origin.model)
    if model is not None and origin.scale and (sizes := model.abilities.sizes):
        fields["size"] = sizes[min(origin.scale, len(sizes)) - 1]
    return {
        "object": "provenance",
        "model": origin.model or None,
        "served": model is not None,
        "request": {**fields, **({"model": origin.model} if model is not None else {})},
        "inputs": sorted(name for name in (*INPUTS, "lora") if options.get(name)),
    }
