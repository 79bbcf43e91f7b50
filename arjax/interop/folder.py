"""A Hugging Face folder on disk: settings in config.json, tensors in model.safetensors, or in several such files with an index.

Both formats hold data and nothing else. Pickles (pytorch_model.bin), which can run code when they are opened, never are.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from arjax.errors import InputError, brief, one_line, require
from arjax.files import check_output, write_all

CONFIG, TENSORS, INDEX, TOKENIZER = "config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the JSON `file` says. Every method raises InputError, with the file's name, for a value of another kind."""

    file: Path
    values: dict

    def integer(self, name: str, least: int = 1) -> int:
        """A number that must be there."""
        value = self.values.get(name)
        if type(value) is not int or value < least:
            raise InputError(f"{self._value(name)} must be a whole number of at least {least}; correct it")
        return value

    def integer_or_none(self, name: str) -> int | None:
        """A number, None where it is null or absent."""
        return None if self.values.get(name) is None else self.integer(name)

    def flag(self, name: str, default: bool) -> bool:
        value = self.values.get(name, default)
        if type(value) is not bool:
            raise InputError(f"{self._value(name)} must be true or false; correct it")
        return value

    def rate(self, name: str, default: float) -> float:
        value = self.values.get(name, default)
        if type(value) not in (int, float) or not 0 <= value < 1:
            raise InputError(f"{self._value(name)} is not in [0, 1); choose the rate of units to drop")
        return float(value)

    def choice(self, name: str, default: str, known: dict[str, str]) -> str:
        """What `known` says for the value."""
        value = self.values.get(name, default)
        if not isinstance(value, str) or value not in known:
            raise InputError(f"{self._value(name)} is not computed here; only {', '.join(known)} are")
        return known[value]

    def require(self, name: str, value) -> None:
        """InputError unless the setting is absent or has this value, the only one that is computed here."""
        if self.values.get(name, value) != value:
            raise InputError(f"{self._value(name)} is not computed here; only {json.dumps(value)} is")

    def _value(self, name):
        return f"{self.file}: {name}={_json(self.values[name])}" if name in self.values else f"{self.file}: absent {name}"


def read_settings(folder: Path) -> Settings:
    """What config.json says. InputError where there is no such folder or file, or what it holds is no JSON object."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one on disk that holds {CONFIG} and {TENSORS} (nothing is downloaded)")
    if not (folder / CONFIG).is_file():
        raise InputError(f"{folder} holds no {CONFIG}; give a folder as transformers' save_pretrained writes it")
    return Settings(folder / CONFIG, _read_json(folder / CONFIG))


def read_tensors(folder: Path, ignored: re.Pattern) -> dict[str, np.ndarray]:
    """name -> float32, without tensors that `ignored` matches in full. InputError where a file is missing or damaged, or holds
    numbers of another kind than floats of 16 and 32 bits, or some that are not finite."""
    if (folder / TENSORS).is_file():
        return _read_safetensors(folder / TENSORS, ignored)
    if not (folder / INDEX).is_file():
        raise InputError(f"{folder} holds no {TENSORS}; {_remedy(folder)}")
    found = {}
    for names, file in _shards(folder / INDEX).items():
        held = _read_safetensors(folder / file, ignored)
        absent = [name for name in names if name not in held and not ignored.fullmatch(name)]
        if absent:
            raise InputError(f"{folder / file} holds no tensor {brief(absent[0])}, which {INDEX} says it does; fetch both again")
        found |= held
    return found


def write(folder: Path, settings: dict, tensors: dict[str, np.ndarray], others: Mapping[str, str], overwrite: bool) -> None:
    """Writes the folder's two files, and others by their names, each of which is whole at any time. InputError if they cannot be
    written, or exist and must not be replaced."""
    for name in (TENSORS, CONFIG, *others):
        check_output(folder / name, overwrite=overwrite)
    save = require("safetensors.numpy", extra="interop").save
    # C order: the format knows no strides, and the library would write a transposed array's memory as it lies. "pt": without
    # it transformers refuses the file; it means that shapes are laid out as PyTorch has them.
    data = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, metadata={"format": "pt"})
    files = {folder / TENSORS: data, folder / CONFIG: json.dumps(settings, indent=2, sort_keys=True) + "\n"}
    write_all(files | {folder / name: text for name, text in others.items()}, overwrite=overwrite)


def _read_json(file: Path) -> dict:
    try:
        values = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or no Unicode
        raise InputError(f"{file} is no valid JSON ({one_line(error)}); fetch it again") from error
    if not isinstance(values, dict):
        raise InputError(f"{file} holds a {type(values).__name__}, not an object with named values; fetch it again")
    return values


def _shards(index: Path) -> dict[tuple[str, ...], str]:
    """names of tensors -> the file they are in."""
    names = _read_json(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(file, str) for file in names.values()):
        raise InputError(f"{index} has no weight_map from tensors to files; fetch it again")
    for file in names.values():
        # A name with folders in it could point anywhere on this machine; one longer than a name may be is no file's.
        if Path(file).name != file or len(file.encode(errors="replace")) > 255 or not file.endswith(".safetensors"):
            raise InputError(f"{index} names {brief(file)}, no safetensors file beside it; fetch it again")
        if not (index.parent / file).is_file():
            raise InputError(f"{index.parent} holds no {file}, which {index.name} names; fetch it too")
    return {tuple(name for name in names if names[name] == file): file for file in sorted(set(names.values()))}


def _read_safetensors(file: Path, ignored: re.Pattern) -> dict[str, np.ndarray]:
    safetensors = require("safetensors", extra="interop")
    try:
        with safetensors.safe_open(file, framework="np") as opened:
            names = [name for name in opened.keys() if not ignored.fullmatch(name)]  # noqa: SIM118, it is no mapping
            return {name: _float32(file, opened, name) for name in names}
    except safetensors.SafetensorError as error:
        raise InputError(
            f"{file} is truncated, damaged or no safetensors file, or a Git LFS pointer to one ({one_line(error)}); "
            "fetch it again"
        ) from error


def _float32(file, opened, name):
    kind = opened.get_slice(name).get_dtype()
    if kind not in ("F32", "F16", "BF16"):
        raise InputError(f"{file}: tensor {brief(name)} is {kind}; only F32, F16 and BF16 are read, so save it as one of them")
    tensor = opened.get_tensor(name).astype(np.float32)
    if not np.isfinite(tensor).all():
        raise InputError(f"{file}: tensor {brief(name)} holds numbers that are not finite; fetch the file again")
    return tensor


def _remedy(folder):
    if any(folder.glob("pytorch_model*.bin")):
        return (
            "its pytorch_model.bin is a pickle, which can run code and is never read: convert it where you trust it, by "
            "transformers' AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder)"
        )
    return "fetch it too"


def _json(value) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:  # the file's nesting was just short of the limit
        return brief(value)
    return text if len(text) <= 200 else brief(value)
