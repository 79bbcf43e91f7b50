"""Measures how long each config takes to compile its training step and to draw its initial state; prints a Markdown table.

    python benchmarks/compile_time.py                       # all of configs/
    python benchmarks/compile_time.py configs/digits_*.py

Each config has a process of its own and no cache of compilations. No data are read: a step is compiled for shapes. What a config
over a user's own files or weights makes of them is in OWN; a config over tokens has examples of its tokens.
"""

import argparse
import collections
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp

import arjax
from arjax.data import Levels, Npz, Real
from arjax.heads import Categorical, Cell, DiscretizedMixtureOfLogistics, Law
from arjax.models import Transformer
from arjax.orders import AnyOrder
from arjax.runs.config import load_config
from arjax.training.experiment import run_keys
from arjax.training.mesh import over_batch
from arjax.training.recipe import is_open
from arjax.training.state import abstract_state, compile_step, draw_state

CONFIGS = Path(__file__).parents[1] / "configs"
LAWS = (*(Law("real"),) * 7, *(Law("categorical", 8),) * 3)
OWN = {
    "gpt2_finetune": lambda _: arjax.Model(Transformer(768, 12, 12, tied=True, bos=-1), Categorical(50257), (256,)),
    "my_images": lambda net: arjax.Model(net, DiscretizedMixtureOfLogistics(256, 10), (28, 28), cond=arjax.CondSpec(classes=10)),
    "my_sounds": lambda net: arjax.Model(net, Categorical(256), (2048,), cond=arjax.CondSpec(classes=10)),
    "my_table": lambda net: arjax.Model(net.clone(laws=LAWS), Cell(levels=8), (len(LAWS),), AnyOrder()),
    "my_text": lambda net: arjax.Model(net, Categorical(96), (64,)),
    "my_tokens": lambda net: arjax.Model(net, Categorical(1024), (64,)),
}
COLUMNS = ("config", "parameters", "trace and lower, s", "compile, s", "draw the state, s")


def measured(path: Path) -> tuple:
    """The row of a config."""
    experiment = load_config(path)
    if is_open(experiment):
        # Its own data would decide the model, which is not open then.
        model = OWN[path.stem](getattr(experiment.model, "net", None))
        experiment = dataclasses.replace(experiment, data=_of(model.head.vocab), model=model)
    elif experiment.tokenizer is not None:
        experiment = dataclasses.replace(experiment, data=_of(experiment.model.head.vocab), tokenizer=None, tokenizer_from=None)
    mesh, keys = experiment.mesh.build(), run_keys(experiment)
    spent = collections.Counter()
    jax.monitoring.register_event_duration_secs_listener(lambda event, seconds, **_: spent.update({event: seconds}))
    with jax.set_mesh(mesh):
        abstract = abstract_state(experiment, mesh)
        batch = _batch(experiment, over_batch(mesh))
        spent.clear()
        began = time.perf_counter()
        compile_step(experiment, abstract, batch, keys.train, mesh)
        step, compiling = time.perf_counter() - began, spent["/jax/core/compile/backend_compile_duration"]
        began = time.perf_counter()
        jax.block_until_ready(draw_state(experiment, abstract, keys.init))
        drawing = time.perf_counter() - began
    size = sum(leaf.size for leaf in jax.tree.leaves(abstract.params))
    return path.stem, f"{size:,}", f"{step - compiling:.1f}", f"{compiling:.1f}", f"{drawing:.1f}"


def _of(vocab: int | None) -> Npz:
    """Data with such symbols, which are never read."""
    return Npz("none.npz", Real() if vocab is None else Levels(vocab))


def _batch(experiment, sharding) -> dict:
    """The shapes of what the training step takes: examples, labels and features."""
    model, size = experiment.model, experiment.batch_size
    if not isinstance(model, arjax.Model):  # a tokenizer
        shapes = {"x": (model.shape, jnp.uint8)}
    else:
        shapes = {"x": ((*model.site_shape, *model.head.event_shape), jnp.float32 if model.head.vocab is None else jnp.int32)}
        shapes |= {"label": ((), jnp.int32)} if model.cond.classes else {}
        shapes |= {name: (shape, jnp.float32) for name, shape in model.cond.features(model.site_shape).items()}
    return {name: jax.ShapeDtypeStruct((size, *shape), dtype, sharding=sharding) for name, (shape, dtype) in shapes.items()}


def _line(cells) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("configs", nargs="*", type=Path, default=sorted(CONFIGS.glob("*.py")))
    parser.add_argument("--one", action="store_true", help="measure in this process, and print JSON")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measured(args.configs[0])))
        return
    print(*(_line(row) for row in (COLUMNS, ("---",) * len(COLUMNS))), sep="\n")
    env = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    for config in args.configs:
        done = subprocess.run([sys.executable, __file__, "--one", config], env=env, stdout=subprocess.PIPE, text=True, check=True)
        print(_line(json.loads(done.stdout)), flush=True)


if __name__ == "__main__":
    main()
