"""What starting costs: heavy packages are imported by what uses them, and a command is named before JAX is there."""

import json
import subprocess
import sys

# In one process, since each new one costs a second: after every statement, which packages are there.
STAGES = (
    "from arjax.__main__ import main; main(['--help'])",
    "import arjax; arjax.Model, arjax.sample, arjax.log_prob",
    "import arjax.heads, arjax.models, arjax.orders, arjax.coding, arjax.interop, arjax.testing",
    "import arjax.data, arjax.tokenizers, arjax.pictures",
    "import arjax.training; arjax.load",
    "import pkgutil; from arjax.__main__ import COMMANDS; "
    "[pkgutil.resolve_name(f'arjax.commands.{command.found}') for command in COMMANDS.values()]",
)
HEAVY = (
    "PIL", "constriction", "matplotlib", "mlflow", "orbax", "pooch", "safetensors", "scipy", "sklearn", "soundfile",
    "tensorboardX", "tensorstore", "tokenizers", "transformers", "torch", "wandb",
)  # fmt: skip
CODE = """
import contextlib, io, json, sys
for stage in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        exec(stage)
    print(json.dumps([name for name in json.loads(sys.argv[2]) if name in sys.modules]))
"""


def test_import_reads_no_heavy_package_and_help_not_even_jax():
    arguments = [json.dumps(STAGES), json.dumps(["jax", "optax", *HEAVY])]
    output = subprocess.run([sys.executable, "-c", CODE, *arguments], check=True, capture_output=True, text=True).stdout
    there = dict(zip(STAGES, map(json.loads, output.splitlines()), strict=True))
    assert there[STAGES[0]] == []
    assert there[STAGES[1]] == there[STAGES[2]] == there[STAGES[3]] == ["jax"]
    assert there[STAGES[4]] == there[STAGES[5]] == ["jax", "optax"]
