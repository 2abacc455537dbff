"""Published weights of Stable Video Diffusion from one of their layouts to the other, strict about every name.

    a folder in diffusers' layout   <->   one file in sgm's layout, svd.safetensors

Values are copied bit for bit, in the dtype that they have. Files are safetensors; a pickle is never loaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from storyreel.folder_replacement import replacing_folder
from storyreel.published_svd.files import PARTS, part_file
from storyreel.storage import sweep, write_json
from storyreel.systems import svd_keys as keys
from storyreel.systems.svd_autoencoder import AutoencoderConfig
from storyreel.systems.svd_unet import SvdUNetConfig
from storyreel.tensor_file import read_tensors, write_tensors

Tensors = dict[str, Tensor]
NAMED = 3  # names in an error
HEAD = 64  # channels of a head of attention
MAX_LEVELS, MAX_BLOCKS, MAX_LAYERS = 8, 16, 100  # of a network, the residual blocks of a level, CLIP's layers


def convert(source: str | Path, out: str | Path) -> list[str]:
    """Write the weights of `source`, a folder or a file, in the other layout; lines of what was left out.

    ValueError, before anything is written: a name that is missing, unknown or misshapen (the first ones and the likely
    layout are named), or an `out` that does not fit.
    """
    source, out = Path(source), Path(out)
    if source.is_dir():
        if out.suffix != ".safetensors":
            raise ValueError(f"{out}: expected a file that ends with .safetensors for what a folder holds")
        if os.path.lexists(out):
            raise ValueError(f"{out}: is there already; expected a new file")
        sweep(out.parent)
        write_tensors(out, to_sgm(read_folder(source)))
        return []
    if out.suffix == ".safetensors":
        raise ValueError(f"{out}: expected a folder for what a single file holds")
    found, left = from_sgm(read_tensors(source), str(source))
    write_folder(out, found)
    return [f"{len(left)} tensors that nothing uses were left out: {_some(left)}"] if left else []


def read_folder(folder: Path) -> dict[str, Tensors]:
    """Part -> name -> tensor of a folder in diffusers' layout, every name checked. Half precision where there is no
    other."""
    found = {}
    for part in PARTS:
        found[part] = read_tensors(part_file(folder, part))
    found["image_encoder"].pop("vision_model.embeddings.position_ids", None)  # of older files: 0, 1, 2, ...
    for part, tensors in found.items():
        with _sized(f"{folder / part}", tensors):
            expected = _like(part, tensors)
        _check(expected, tensors, f"{folder / part}")
    return found


def to_sgm(parts: Mapping[str, Tensors]) -> Tensors:
    """The tensors of a folder, by their names in the single file."""
    out: Tensors = {}
    rename = _renamer(parts["unet"])
    out |= {rename(name): tensor for name, tensor in parts["unet"].items()}
    levels = _levels(parts["vae"])
    for name, tensor in parts["vae"].items():
        other = keys.autoencoder_name(name, levels)
        value = tensor[..., None, None] if keys.is_flat(name) else tensor
        if not name.startswith("quant_conv."):
            out[keys.FIRST_STAGE + other] = value
        if not name.startswith("decoder."):
            out[keys.PICTURE + other] = value.clone()
    return out | _vision_to_sgm(parts["image_encoder"])


def from_sgm(tensors: Tensors, where: str) -> tuple[dict[str, Tensors], list[str]]:
    """The tensors of the single file as those of a folder's parts, and the names of what was left out."""
    unused = {name for name in tensors if keys.LEFT_OUT.fullmatch(name)}
    rest = {name: tensor for name, tensor in tensors.items() if name not in unused}
    if not any(name.startswith(keys.UNET) for name in rest) or f"{keys.PICTURE}quant_conv.weight" not in rest:
        raise ValueError(f"{where}: lacks {keys.UNET}* or {keys.PICTURE}*; {_likely(tensors)}")
    with _sized(where, tensors):
        parts = {part: _like(part, found) for part, found in _sizes_of_sgm(rest).items()}
        expected = to_sgm(parts)
    _check(expected, rest, where)
    rename, levels = _renamer(parts["unet"]), _levels(parts["vae"])
    found: dict[str, Tensors] = {"unet": {name: rest[rename(name)] for name in parts["unet"]}, "vae": {}}
    for name in parts["vae"]:
        prefix = keys.FIRST_STAGE if name.startswith("decoder.") else keys.PICTURE
        tensor = rest[prefix + keys.autoencoder_name(name, levels)]
        found["vae"][name] = tensor[..., 0, 0].contiguous() if keys.is_flat(name) else tensor
    found["image_encoder"] = _vision_from_sgm(rest, parts["image_encoder"])
    return found, sorted(unused)


# -- what a file should hold -----------------------------------------------------------------------------------


@contextmanager
def _sized(where: str, tensors: Tensors) -> Iterator[None]:
    """ValueError, one line, where tensors do not say how large a network is."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{where}: lacks {error.args[0]!r}; {_likely(tensors)}") from None
    except (ValueError, IndexError, RuntimeError) as error:  # a weight with fewer axes
        raise ValueError(f"{where}: cannot be such a network ({error}); {_likely(tensors)}") from None


def _like(part: str, tensors: Tensors) -> Tensors:
    """Empty tensors of a network with the widths of these."""
    if part == "image_encoder":
        return _vision_like(tensors)
    config = _unet_config(tensors) if part == "unet" else _vae_config(tensors)
    return _meta(config.build)


def _meta(build: Callable[[], torch.nn.Module]) -> Tensors:
    with torch.device("meta"):
        return dict(build().state_dict())


def _unet_config(tensors: Tensors) -> SvdUNetConfig:
    widths = tuple(
        tensors[f"down_blocks.{i}.resnets.0.spatial_res_block.conv1.weight"].shape[0] for i in range(_levels(tensors))
    )
    blocks = _count(tensors, r"down_blocks\.0\.resnets\.(\d+)\.", MAX_BLOCKS)
    attends = [any(n.startswith(f"down_blocks.{i}.attentions.") for n in tensors) for i in range(len(widths))]
    entering = tensors["add_embedding.linear_1.weight"].shape[1]
    attention = next((n for n in tensors if n.endswith("transformer_blocks.0.attn2.to_k.weight")), None)
    if attention is None:
        raise KeyError("transformer_blocks.0.attn2.to_k.weight")
    return SvdUNetConfig(
        in_channels=tensors["conv_in.weight"].shape[1], out_channels=tensors["conv_out.weight"].shape[0], widths=widths,
        heads=tuple(_heads(width) if has else 0 for width, has in zip(widths, attends, strict=True)), blocks=blocks,
        context=tensors[attention].shape[1], conditions=1, condition_features=entering, groups=1,
    )  # fmt: skip


def _heads(width: int) -> int:
    return width // HEAD if width % HEAD == 0 else 1


def _vae_config(tensors: Tensors) -> AutoencoderConfig:
    return AutoencoderConfig(
        channels=tensors["encoder.conv_in.weight"].shape[1],
        latent_channels=tensors["decoder.conv_in.weight"].shape[1],
        widths=tuple(
            tensors[f"encoder.down_blocks.{i}.resnets.0.conv1.weight"].shape[0] for i in range(_levels(tensors))
        ),
        blocks=_count(tensors, r"encoder\.down_blocks\.0\.resnets\.(\d+)\.", MAX_BLOCKS),
        groups=1,
    )


class _Renamed(dict[str, Tensor]):
    """Those tensors of the single file that have these names in a folder; one that is missing is named as there."""

    def __init__(self, tensors: Tensors, names: Iterable[str], rename: Callable[[str], str]):
        super().__init__({name: tensors[other] for name in names if (other := rename(name)) in tensors})
        self.rename = rename

    def __missing__(self, name: str) -> Tensor:
        raise KeyError(self.rename(name))


def _sizes_of_sgm(tensors: Tensors) -> dict[str, Tensors]:
    """Part -> the tensors that say how large its network is. Blocks of the U-Net are numbered through in the single
    file, and each level but the last ends with `op`. KeyError, ValueError: they do not."""
    count = _count(tensors, rf"{re.escape(keys.UNET)}input_blocks\.(\d+)\.", MAX_LEVELS * (MAX_BLOCKS + 1))
    ends = (i for i in range(count) if f"{keys.UNET}input_blocks.{i}.0.op.weight" in tensors)
    blocks = next(ends, count) - 1
    levels, attention = range(MAX_LEVELS), "attentions.0.transformer_blocks.0.attn2.to_k.weight"
    each = [
        *(f"resnets.{j}.spatial_res_block.conv1.weight" for j in range(blocks)),
        "attentions.0.norm.weight",
        attention,
    ]
    unet = [f"down_blocks.{i}.{name}" for i in levels for name in each]
    unet += ["conv_in.weight", "conv_out.weight", "add_embedding.linear_1.weight"]
    vae = [f"encoder.down_blocks.{i}.resnets.{j}.conv1.weight" for i in levels for j in range(MAX_BLOCKS + 1)]
    vae += ["encoder.conv_in.weight", "decoder.conv_in.weight"]
    vision = [f"vision_model.encoder.layers.{i}.mlp.fc1.weight" for i in range(MAX_LAYERS + 1)]
    vision += [*keys.VISION, "visual_projection.weight"]
    found = {
        "unet": _Renamed(tensors, unet, lambda name: keys.unet_name(name, blocks, frozenset())),
        "vae": _Renamed(tensors, vae, lambda name: keys.FIRST_STAGE + keys.autoencoder_name(name, 0)),
        "image_encoder": _Renamed(tensors, vision, keys.vision_name),
    }
    found["image_encoder"]["visual_projection.weight"] = found["image_encoder"]["visual_projection.weight"].T
    return dict(found)


def _renamer(unet: Mapping[str, Tensor]) -> Callable[[str], str]:
    blocks = _count(unet, r"down_blocks\.0\.resnets\.(\d+)\.", MAX_BLOCKS)
    attends = frozenset(int(n.split(".")[1]) for n in unet if re.match(r"up_blocks\.\d+\.attentions\.", n))
    return lambda name: keys.unet_name(name, blocks, attends)


def _levels(tensors: Mapping[str, Tensor]) -> int:
    return _count(tensors, r"(?:encoder\.)?down_blocks\.(\d+)\.", MAX_LEVELS)


def _count(names: Iterable[str], pattern: str, most: int) -> int:
    """How many blocks the names are of, which are numbered 0, 1, 2, ... in them.

    KeyError: the first one that is missing. ValueError: there are more than `most`; a network is built of what is
    counted here, before its weights are looked at.
    """
    numbered = {found[1]: found for name in names if (found := re.match(pattern, name))}
    for number in range(len(numbered)):
        if str(number) not in numbered:
            like = next(iter(numbered.values()))
            raise KeyError(f"{like[0][: like.start(1)]}{number}{like[0][like.end(1) :]}*")
    if len(numbered) > most:
        raise ValueError(f"expected at most {most} blocks in a row, got {len(numbered)}")
    return len(numbered)


def _check(expected: Tensors, found: Tensors, where: str) -> None:
    """ValueError names the first names that are missing, too many or misshapen, and the likely layout."""
    missing, extra = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    wrong = [name for name in sorted(expected.keys() & found.keys()) if expected[name].shape != found[name].shape]
    faults = [f"lacks {_some(missing)}" if missing else "", f"has unknown {_some(extra)}" if extra else ""]
    if wrong:
        one = wrong[0]
        faults.append(f"{one} is {list(found[one].shape)}, expected {list(expected[one].shape)}")
    if any(faults):
        raise ValueError(f"{where}: {'; '.join(filter(None, faults))}; {_likely(found)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _likely(names: Iterable[str]) -> str:
    names = list(names)
    if any(name.startswith((keys.UNET, keys.FIRST_STAGE)) for name in names):
        return "it looks like sgm's single file"
    if any(name.startswith(("down_blocks.", "encoder.", "vision_model.")) for name in names):
        return "it looks like a part of a folder in diffusers' layout"
    return "it looks like neither sgm's single file nor a part of a folder in diffusers' layout"


# -- CLIP's encoder of pictures --------------------------------------------------------------------------------


def _vision_like(tensors: Tensors) -> Tensors:
    """Empty tensors of an encoder with the width and depth of these."""
    width, places = tensors["vision_model.embeddings.class_embedding"].shape[0], "vision_model.embeddings."
    patch, positions = tensors[f"{places}patch_embedding.weight"], tensors[f"{places}position_embedding.weight"]
    projection = tensors["visual_projection.weight"]
    hidden = tensors["vision_model.encoder.layers.0.mlp.fc1.weight"].shape[0]
    depth = _count(tensors, r"vision_model\.encoder\.layers\.(\d+)\.", MAX_LAYERS)
    shapes: dict[str, tuple[int, ...]] = {
        f"{places}class_embedding": (width,),
        f"{places}patch_embedding.weight": (width, 3, *patch.shape[2:]),
        f"{places}position_embedding.weight": (positions.shape[0], width),
        "visual_projection.weight": (projection.shape[0], width),
    }
    layers = {"mlp.fc1": (hidden, width), "mlp.fc2": (width, hidden)}
    layers |= {f"self_attn.{name}": (width, width) for name in ("q_proj", "k_proj", "v_proj", "out_proj")}
    for i in range(depth):
        for name, shape in layers.items():
            shapes[f"vision_model.encoder.layers.{i}.{name}.weight"] = shape
            shapes[f"vision_model.encoder.layers.{i}.{name}.bias"] = shape[:1]
    norms = [f"encoder.layers.{i}.layer_norm{n}" for i in range(depth) for n in (1, 2)]
    for norm in ("pre_layrnorm", "post_layernorm", *norms):
        shapes |= {f"vision_model.{norm}.{kind}": (width,) for kind in ("weight", "bias")}
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _vision_to_sgm(tensors: Tensors) -> Tensors:
    out: Tensors = {}
    for name, tensor in tensors.items():
        if ".q_proj." in name:
            three = [tensors[name.replace(".q_proj.", f".{each}_proj.")] for each in "qkv"]
            layer, kind = name.split(".")[3], name.rpartition(".")[2]
            out[f"{keys.CLIP}transformer.resblocks.{layer}.attn.in_proj_{kind}"] = torch.cat(three)
        elif not (".k_proj." in name or ".v_proj." in name):
            out[keys.vision_name(name)] = tensor.T.contiguous() if name == "visual_projection.weight" else tensor
    return out


def _vision_from_sgm(tensors: Tensors, names: Iterable[str]) -> Tensors:
    out: Tensors = {}
    for name in names:
        if found := re.fullmatch(r"vision_model\.encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(\w+)", name):
            whole = tensors[f"{keys.CLIP}transformer.resblocks.{found[1]}.attn.in_proj_{found[3]}"]
            out[name] = whole.chunk(3)["qkv".index(found[2])].contiguous()
        else:
            tensor = tensors[keys.vision_name(name)]
            out[name] = tensor.T.contiguous() if name == "visual_projection.weight" else tensor
    return out


# -- writing a folder ------------------------------------------------------------------------------------------


def write_folder(
    out: Path,
    parts: Mapping[str, Tensors],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    inputs: Iterable[Path] = (),
) -> None:
    """In diffusers' layout, with the settings that its pipeline needs: those of the tensors, or `overrides`."""
    settings = {"unet": unet_json(parts["unet"]), "vae": vae_json(parts["vae"]), **_FIXED}
    settings["image_encoder"] = vision_json(parts["image_encoder"])
    settings |= {part: dict(each) for part, each in (overrides or {}).items() if each}
    with replacing_folder(out, "diffusers", inputs=inputs) as made:
        for part, tensors in parts.items():
            (made / part).mkdir()
            write_tensors(made / part / PARTS[part], tensors, {"format": "pt"})
            write_json(made / part / "config.json", settings[part])
        for folder, file in (("scheduler", "scheduler_config"), ("feature_extractor", "preprocessor_config")):
            (made / folder).mkdir()
            write_json(made / folder / f"{file}.json", settings[folder])
        write_json(made / "model_index.json", settings["model_index"])


def unet_json(tensors: Tensors) -> dict[str, Any]:
    c = _unet_config(tensors)
    kinds = ("DownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal")
    down = [kinds[heads > 0] for heads in c.heads]
    return {
        "_class_name": "UNetSpatioTemporalConditionModel", "in_channels": c.in_channels, "out_channels": c.out_channels,
        "sample_size": 96, "num_frames": 14, "block_out_channels": list(c.widths), "layers_per_block": c.blocks,
        "down_block_types": down, "up_block_types": [kind.replace("Down", "Up") for kind in down[::-1]],
        "num_attention_heads": [_heads(width) for width in c.widths], "cross_attention_dim": c.context,
        "addition_time_embed_dim": c.condition_features // 3, "transformer_layers_per_block": 1,
        "projection_class_embeddings_input_dim": c.condition_features,
    }  # fmt: skip


def vae_json(tensors: Tensors) -> dict[str, Any]:
    c = _vae_config(tensors)
    return {
        "_class_name": "AutoencoderKLTemporalDecoder", "in_channels": c.channels, "out_channels": c.channels,
        "block_out_channels": list(c.widths), "down_block_types": ["DownEncoderBlock2D"] * len(c.widths),
        "layers_per_block": c.blocks, "latent_channels": c.latent_channels, "sample_size": 768,
        "scaling_factor": 0.18215, "force_upcast": True,
    }  # fmt: skip


def vision_json(tensors: Tensors) -> dict[str, Any]:
    like = {name: tuple(t.shape) for name, t in tensors.items()}
    width, _, patch, _ = like["vision_model.embeddings.patch_embedding.weight"]
    side = round((like["vision_model.embeddings.position_embedding.weight"][0] - 1) ** 0.5)
    return {
        "architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model", "hidden_act": "gelu",
        "hidden_size": width, "intermediate_size": like["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
        "num_hidden_layers": _count(like, r"vision_model\.encoder\.layers\.(\d+)\.", MAX_LAYERS),
        "image_size": side * patch,
        "num_attention_heads": width // 80 if width % 80 == 0 else max(1, width // HEAD), "patch_size": patch,
        "projection_dim": like["visual_projection.weight"][0], "layer_norm_eps": 1e-05,
    }  # fmt: skip


_FIXED: dict[str, Any] = {
    "scheduler": {
        "_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "interpolation_type": "linear", "num_train_timesteps": 1000,
        "prediction_type": "v_prediction", "sigma_min": 0.002, "sigma_max": 700.0, "steps_offset": 1,
        "timestep_spacing": "leading", "timestep_type": "continuous", "use_karras_sigmas": True,
    },
    "feature_extractor": {
        "image_processor_type": "CLIPImageProcessor", "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True,
        "do_resize": True, "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "rescale_factor": 1 / 255, "size": {"shortest_edge": 224},
    },
    "model_index": {
        "_class_name": "StableVideoDiffusionPipeline", "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"], "unet": ["diffusers", "UNetSpatioTemporalConditionModel"],
        "vae": ["diffusers", "AutoencoderKLTemporalDecoder"],
    },
}  # fmt: skip
