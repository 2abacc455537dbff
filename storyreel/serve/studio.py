"""What the server does, apart from HTTP: videos are created, listed, remixed, extended, cancelled and deleted."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storyreel.generate import registry
from storyreel.serve.errors import ApiError
from storyreel.serve.files import ID, INPUTS, LOSSLESS, VideoFiles, linked
from storyreel.serve.served import Served, served
from storyreel.serve.settings import VideoRequest, check_inputs, kind_of_upload, plain_settings, read_fields, understand
from storyreel.serve.table import RIGHT, VideoRow, VideoTable, right_of
from storyreel.storage import write_bytes
from storyreel.wording import suggestion

MAX_KEY = 255  # characters of an Idempotency-Key
MAX_QUEUE = 10_000  # videos that may wait


class Studio:
    """The videos of one folder and the models that make them; the first model is the usual one.

    models: names or folders; none for all that are here. ValueError: one is not known, or the folder is not ours.
    """

    def __init__(self, folder: Path, models: Sequence[str] = ()) -> None:
        found = [served(registry.find(name)) for name in models or registry.names() or [None]]
        self.models: dict[str, Served] = {}
        for model in found:
            if self.models.setdefault(model.name, model).folder != model.folder:
                raise ValueError(f"{model.folder}: another model of the name {model.name!r} is served as well")
        self.began = time.time()
        self.folder, self.table, self.files = folder, VideoTable(folder), VideoFiles(folder)
        self.recover()

    def recover(self) -> None:
        """Make table and files agree, after whatever ended the last server."""
        self.table.release(None, self.files.facts, None)
        for id in self.table.ids("deleted"):
            self._remove(id)
        known = self.table.ids()
        for file in (self.folder / INPUTS).iterdir() if known else ():
            match = ID.match(file.name)
            if match and match[0] not in known:
                file.unlink(missing_ok=True)

    def close(self) -> None:
        self.table.close()

    # -- models ----------------------------------------------------------------------------------------------

    def model(self, name: Any) -> Served:
        """The model of this name; the first one for None. ApiError names the nearest."""
        if name is None:
            return next(iter(self.models.values()))
        if isinstance(name, str) and name in self.models:
            return self.models[name]
        message = f"The model {str(name)[:100]!r} does not exist; {suggestion(str(name).lower(), self.models)}"
        raise ApiError(400, message, param="model", code="model_not_found")

    # -- new videos ------------------------------------------------------------------------------------------

    def create(self, body: Mapping[str, Any], upload: bytes | None = None, key: str | None = None) -> VideoRow:
        """Queue a video as a request says. ApiError names the field that is wrong."""
        digest = _digest(["create", {**body, "input_reference": None}, upload and hashlib.sha256(upload).hexdigest()])
        if (found := self._made_before(key, digest)) is not None:
            return found
        values = read_fields(body)
        return self._add(values, self.model(values.get("model")), upload, {}, key=key, digest=digest)

    def remix(self, id: str, body: Mapping[str, Any], key: str | None = None) -> VideoRow:
        """The same again with what the body changes: another prompt, another seed."""
        digest = _digest(["remix", id, body])
        if (found := self._made_before(key, digest)) is not None:
            return found
        before, values = self.video(id), read_fields(body)
        if not values:
            raise ApiError(400, "prompt: expected what is to be different", param="prompt", code="missing_parameter")
        inputs = {n: self.files.input_file(id, n, s) for n, s in before.settings.get("inputs", {}).items()}
        inputs = {name: file for name, file in inputs.items() if file.exists()}  # the scene before may not be made yet
        if "story" in values:
            values["prompt"] = None
        merged = self._request_of(before, without=set(values)) | values
        model = self.model(merged.get("model"))
        source = before.settings.get("follows")
        follows = source and self.table.get(source)
        if source and not follows and "extend" not in inputs:
            message = f"The video {source}, from which {id} goes on, is not there any more."
            raise ApiError(409, message, param="video_id", code="video_not_ready")
        more = {"key": key, "digest": digest, "remixed_from": id, "follows": follows}
        return self._add(merged, model, None, inputs, **more)

    def extend(self, body: Mapping[str, Any], upload: bytes | None = None, key: str | None = None) -> VideoRow:
        """A video that goes on where another one ends, which stands before it.

        Body: prompt, seconds (of what is new), video {"id"}, where none was sent, and other settings. A video that is
        still to be made is waited for.
        """
        digest = _digest(["extend", body, upload and hashlib.sha256(upload).hexdigest()])
        if (found := self._made_before(key, digest)) is not None:
            return found
        if upload is not None:
            values = read_fields(body)
            return self._add(values, self.model(values.get("model")), upload, {}, key=key, digest=digest, extends=True)
        which = body.get("video")
        id = which.get("id") if isinstance(which, Mapping) else which
        if not isinstance(id, str):
            raise ApiError(400, 'video: expected {"id": "video_..."}', param="video", code="missing_parameter")
        before = self.video(id)
        source = self.files.file(id, LOSSLESS) if before.ended else None
        if source is None and before.ended:
            raise ApiError(409, f"The video {id} was not made.", param="video", code="video_not_ready")
        values = read_fields({name: value for name, value in body.items() if name != "video"})
        values.setdefault("model", before.model)
        values.setdefault("prompt", before.settings.get("prompt"))
        if "fps" in before.settings:  # else what is there would play at another speed
            values.setdefault("fps", before.settings["fps"])
        more = {"key": key, "digest": digest, "remixed_from": id, "follows": before}
        inputs = {} if source is None else {"extend": source}
        return self._add(values, self.model(values["model"]), None, inputs, **more)

    def _request_of(self, video: VideoRow, without: set[str]) -> dict[str, Any]:
        """The fields that would create a video again, as `read_fields` gives them."""
        length = {"frames", "seconds", "story"}
        changed = without | (length if without & length else set())
        fields = {name: value for name, value in plain_settings(video).items() if name not in changed}
        if fields.get("story"):
            fields.pop("prompt", None)
        fields |= {"model": video.model, "seed": video.seed}
        if "transparent" not in without:
            fields["format"] = video.format
        if video.scale is not None and "model" not in without:
            fields["size"] = video.size
        return fields

    def _made_before(self, key: str | None, digest: str) -> VideoRow | None:
        if key is None:
            return None
        if not 0 < len(key) <= MAX_KEY:
            raise ApiError(400, f"Idempotency-Key: expected 1 to {MAX_KEY} characters", code="invalid_value")
        found = self.table.by_key(key)
        if found is not None and found.request_digest != digest:
            message = "This Idempotency-Key was used with another request before."
            raise ApiError(409, message, code="idempotency_key_reused")
        return found

    def _add(
        self, values: Mapping[str, Any], model: Served, upload: bytes | None, inputs: Mapping[str, Path], **row: Any
    ) -> VideoRow:
        if self.table.counts().get("queued", 0) >= MAX_QUEUE:
            raise ApiError(429, f"{MAX_QUEUE} videos wait already; try again later.", code="queue_full")
        id, files = f"video_{secrets.token_hex(16)}", {}
        try:
            for name, source in inputs.items():
                files[name] = self.files.input_file(id, name, source.suffix)
                linked(source, files[name])
            if upload is not None:
                plain = self.files.input_file(id, "sent", "")
                write_bytes(plain, upload)
                files["sent"] = plain
                name, suffix = kind_of_upload(plain)
                files[name] = self.files.input_file(id, name, suffix)
                os.replace(files.pop("sent"), files[name])
            check_inputs(model, {*files, *(("extend",) if row.get("follows") else ())})
            options = understand(values, model, files, row.get("follows"))
            if row.get("extends") and "extend" not in files:
                raise ApiError(400, "video: expected a clip, got a picture", param="video", code="invalid_file")
            made = self.table.add(self._row(id, model, options, row))
            if made.id != id:  # the same request, twice at once
                raise _RepeatedKeyError(made)
        except BaseException as error:
            for file in files.values():
                file.unlink(missing_ok=True)
            if isinstance(error, _RepeatedKeyError):
                return error.video
            raise
        return made

    def _row(self, id: str, model: Served, request: VideoRequest, more: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": id, "model": model.name, "settings": request.settings, "seed": request.seed, "format": request.format,
            "scale": request.scale, "seconds": request.seconds, "size": request.size,
            "idempotency_key": more.get("key"), "request_digest": more.get("digest"),
            "remixed_from": more.get("remixed_from"),
        }  # fmt: skip

    # -- videos that are there -------------------------------------------------------------------------------

    def video(self, id: str) -> VideoRow:
        """ApiError, 404, where there is none."""
        found = self.table.get(id) if ID.fullmatch(id) else None
        if found is None:
            raise ApiError(404, f"No video {id[:60]!r} was found.", param="video_id", code="not_found")
        return found

    def list(
        self,
        after: str | None,
        limit: int,
        newest: bool,
        query: str = "",
        favourite: bool = False,
        by_right: bool = False,
    ) -> tuple[list[VideoRow], bool]:
        """(videos, whether there are more), after the one with this id. query: words of the prompt or the model.

        by_right: by how much of what their prompts say a judge has seen, the most first; those without a judge last.
        """
        where, values = ["1"], []
        if after is not None:
            last = self.video(after)
            if by_right:
                where.append(f"({RIGHT} < ? OR ({RIGHT} = ? AND number {'<' if newest else '>'} ?))")
                values += [right_of(last)] * 2
            else:
                where.append("number < ?" if newest else "number > ?")
            values.append(last.number)
        for word in query.split()[:20]:
            where.append("(settings LIKE ? ESCAPE '!' OR model LIKE ? ESCAPE '!' OR id = ?)")
            like = "".join(f"!{c}" if c in "!%_" else c for c in word)
            values += [f"%{like}%", f"%{like}%", word]
        if favourite:
            where.append("favourite = 1")
        order = f"{RIGHT} DESC, " if by_right else ""
        found = self.table.list(" AND ".join(where), values, newest=newest, limit=limit + 1, first=order)
        return found[:limit], len(found) > limit

    def delete(self, id: str) -> None:
        """A video and its files go. One that is being made is given up."""
        self.video(id)
        self.table.hide(id)
        self._remove(id)

    def _remove(self, id: str) -> None:
        self.files.remove(id)
        self.table.delete(id)


class _RepeatedKeyError(Exception):
    def __init__(self, video: VideoRow) -> None:
        super().__init__(video.id)
        self.video = video


def _digest(request: Any) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
