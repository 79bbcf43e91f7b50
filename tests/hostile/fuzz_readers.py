"""Coverage-guided fuzzing of the readers of outside bytes, by libFuzzer through atheris: `make fuzz`.

    python tests/hostile/fuzz_readers.py NAME [CORPUS] [-max_total_time=60 ...]      one reader of readers.py
    python tests/hostile/fuzz_readers.py [-max_total_time=60 ...]                    each of PARSERS in turn, in its own process

The property is that of test_fuzz.py: read, or refused in one line. What breaks it is written to crash-*, and shown. Not run by
pytest, whose name for test files this file lacks.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

# Those that are parsed by Python, where coverage shows a way; C and Rust libraries are not seen into.
PARSERS = (
    "idx", "npz", "npz member", "npy", "npy header", "png", "bmp", "pgm", "tif", "wav", "density", "csv", "config.json",
    "safetensors index", "tokenizer.json", "run.json", "metrics.jsonl",
)  # fmt: skip


def fuzz(name: str, flags: list[str]) -> None:
    """Does not come back: libFuzzer ends the process."""
    with atheris.instrument_imports(
        include=["arjax.data", "arjax.description", "arjax.runs.metrics", "arjax.runs.directory",
                 "arjax.tokenizers.byte_level", "arjax.interop", "json", "zipfile", "numpy.lib"]
    ):  # fmt: skip
        sys.path.append(str(Path(__file__).parents[1]))
        from readers import READERS, outcome

    reader = READERS[name]

    def once(content: bytes) -> None:
        for left in folder.iterdir():
            left.unlink()
        outcome(reader, content, folder)

    with tempfile.TemporaryDirectory() as temporary:
        folder, corpus = Path(temporary) / "folder", Path(temporary) / "corpus"
        folder.mkdir()
        corpus.mkdir()
        (corpus / "valid").write_bytes(reader.valid)
        atheris.Setup([sys.argv[0], *flags, str(corpus)], once)
        atheris.Fuzz()


def main(arguments: list[str]) -> int:
    flags = [argument for argument in arguments if argument.startswith("-")]
    names = [argument for argument in arguments if not argument.startswith("-")]
    if names:
        fuzz(names[0], [*names[1:], *flags])
    failed = [name for name in PARSERS if subprocess.run([sys.executable, __file__, name, *flags], check=False).returncode]
    print("failed:", ", ".join(failed) or "none")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
