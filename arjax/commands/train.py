"""`arjax train CONFIG [flags]`: runs train.py, which lies at the root of a checkout, or inside an installed package."""

import importlib.util
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def main(argv: list[str]) -> int:
    """Trains as `python train.py` does, with the same arguments, and returns its exit status."""
    # Inside the package first: beside an installed one lie the files of others.
    file = next(path for path in (PACKAGE / "train.py", PACKAGE.parent / "train.py") if path.is_file())
    spec = importlib.util.spec_from_file_location("train", file)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.main(argv, program="arjax train")
