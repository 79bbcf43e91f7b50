"""The formulae of docs/scaling.md beside what the compiler plans, for steps that are compiled here and never run.

    python benchmarks/scaling.py                  # what a step sends and holds: formula, compiler, ratio
    python benchmarks/scaling.py --time           # a step on 8 virtual CPU devices beside one device, the same global batch

The first compiles small models for up to 256 virtual CPU devices, and from shardings alone says what of the state of the two
large models lies on each device. Bytes are those that a device receives (benchmarks/collectives.py).
"""

import argparse
import contextlib
import dataclasses
import math
import statistics
import time
import unittest.mock
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

import arjax
from arjax.data import Levels, Npz
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import MADE, PixelCNNPP, Transformer, transformer
from arjax.training import AdamW, Experiment, Mesh
from arjax.training.mesh import over_batch, over_state, shares
from arjax.training.state import TrainState, abstract_state, compile_step, draw_state
from benchmarks.collectives import received

DEVICES, RUNS = 256, 7
MIB, GB = 2**20, 1e9


class Step(NamedTuple):
    """A step of training on a mesh, not compiled yet: shapes with their shardings."""

    experiment: Experiment
    mesh: jax.sharding.Mesh
    state: TrainState
    batch: dict

    def compile(self) -> jax.stages.Compiled:
        with jax.set_mesh(self.mesh):
            return compile_step(self.experiment, self.state, self.batch, jax.random.key(0), self.mesh)


def step_of(model, mesh: Mesh, batch: int, optimizer, accumulate: int = 1) -> Step:
    """The step that fits `model` to `batch` examples at once by maximum likelihood, as train.py would."""
    built = mesh.build()
    options = {"batch_size": batch, "accumulate": accumulate, "steps": 10, "eval_every": 10}
    experiment = Experiment(data=Npz("none.npz", Levels(model.head.vocab)), model=model, optimizer=optimizer, **options)
    shape = (batch, *model.site_shape, *model.head.event_shape)
    x = {"x": jax.ShapeDtypeStruct(shape, jnp.int32, sharding=over_batch(built))}
    with jax.set_mesh(built):
        return Step(experiment, built, over_state(abstract_state(experiment), built, model), x)


def held(tree) -> int:
    """The bytes of a tree of shapes with shardings that lie on each device."""
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


@dataclasses.dataclass(frozen=True)
class Traffic:
    """The bytes that each device receives in a step."""

    gather: float
    reduce: float
    tensor: float

    @property
    def total(self) -> float:
        return self.gather + self.reduce + self.tensor


def traffic(step: Step, activations: float = 0.0, *, itemsize: int = 4, gathers: int = 1, scatter: bool = True) -> Traffic:
    """By the formulae of docs/scaling.md. activations: what tensor parallelism adds, see `tensor_traffic`; itemsize: of what is
    sent; gathers: how often a step gathers each parameter; scatter: are gradients reduced and scattered over fsdp in one, or
    reduced whole and cut, as XLA's CPU back-end does?"""
    data, fsdp = step.mesh.shape["data"], step.mesh.shape["fsdp"]
    gather = reduce = 0.0
    for leaf in jax.tree.leaves(step.state.params):
        split = any(name == "fsdp" for name in leaf.sharding.spec)
        own = math.prod(leaf.sharding.shard_shape(leaf.shape)) * itemsize
        if split:
            gather += gathers * own * (fsdp - 1)
            reduce += (1 if scatter else 2) * own * (fsdp - 1) + 2 * own * (data - 1) / data
        else:
            reduce += 2 * own * (data * fsdp - 1) / (data * fsdp)
    return Traffic(gather, reduce, activations)


def tensor_traffic(net: Transformer, tokens: int, tensor: int, itemsize: int = 4) -> float:
    """What `tensor` devices add that share every layer: two all-reduces of [tokens, D] forward and two backward in every block,
    and one behind the last. tokens: those of one device."""
    return (4 * net.layers + 1) * 2 * (tensor - 1) / tensor * tokens * net.width * itemsize


def block_activations(net: Transformer, sites: int, itemsize: int = 4) -> int:
    """Bytes that every token of a block leaves for the backward pass. itemsize: of what blocks compute in; softmax is float32."""
    mlp = net.mlp or 4 * net.width
    return (8 + 6 * itemsize) * net.width + 2 * itemsize * mlp + (4 + itemsize) * net.heads * sites


def small_transformer(layers: int = 2, dtype: str = "float32") -> arjax.Model:
    return arjax.Model(Transformer(width=128, layers=layers, heads=8, dtype=dtype), Categorical(512), (64,))


def small_pixelcnnpp() -> arjax.Model:
    net = PixelCNNPP(width=32, resnets=1, levels=2, dropout=0.0)
    return arjax.Model(net, CoupledDiscretizedMixtureOfLogistics(256, 5), (8, 8))


SEVEN = arjax.Model(
    Transformer(width=4096, layers=32, heads=32, positions="rotary", dtype="bfloat16"), Categorical(32_000), (2048,)
)
PIXELCNNPP = arjax.Model(PixelCNNPP(), CoupledDiscretizedMixtureOfLogistics(256, 10), (32, 32))


def check(name: str, model, mesh: Mesh, batch: int, gathers: int) -> None:
    """One line of the table: what a step of `model` sends and holds."""
    step = step_of(model, mesh, batch, AdamW())
    tokens = batch // shares(step.mesh) * math.prod(model.site_shape)
    added = tensor_traffic(model.net, tokens, mesh.tensor) if mesh.tensor > 1 else 0.0
    formula = traffic(step, added, gathers=gathers, scatter=False)
    compiled = step.compile()
    kinds, plan = received(compiled), compiled.memory_analysis()
    sent = {kind: kinds.get(kind, 0.0) for kind in ("all-gather", "all-reduce", "all-to-all", "collective-permute")}
    state, planned = held(step.state), plan.output_size_in_bytes
    shape = " x ".join(str(size) for size in step.mesh.shape.values())
    cells = [name, shape, f"{formula.gather / MIB:.2f}", f"{sent['all-gather'] / MIB:.2f}"]
    cells += [f"{(formula.reduce + formula.tensor) / MIB:.2f}", f"{sent['all-reduce'] / MIB:.2f}"]
    cells += [f"{(sent['all-to-all'] + sent['collective-permute']) / MIB:.2f}", f"{sum(kinds.values()) / formula.total:.3f}"]
    cells += [f"{state / MIB:.2f}", f"{planned / state:.3f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def checks() -> None:
    print("| model | data x fsdp x tensor | gather MiB | compiler's | reduce MiB | compiler's | other | sent / formula |", end="")
    print(" state MiB | compiler / formula |")
    print("|" + "---|" * 10)
    for mesh in (Mesh(8), Mesh(1, 8), Mesh(2, 4), Mesh(8, 8), Mesh(32, 8)):
        check("transformer", small_transformer(), mesh, 256, 1)
    for mesh in (Mesh(4, 1, 2), Mesh(2, 2, 2), Mesh(8, 8, 4)):
        check("transformer", small_transformer(), mesh, 256, 1)
    for mesh in (Mesh(8), Mesh(1, 8), Mesh(8, 8)):
        check("PixelCNN++", small_pixelcnnpp(), mesh, 64, 2)
    with recomputed():
        check("transformer, blocks recomputed", small_transformer(), Mesh(1, 8), 256, 2)


@contextlib.contextmanager
def recomputed():
    """Inside, the blocks of every transformer keep their input alone and are computed again for the backward pass. An option that
    the library does not have, tried here."""
    # A model traced before is equal to one of other blocks, and would be taken for it.
    jax.clear_caches()
    with unittest.mock.patch.object(transformer, "Block", nn.remat(transformer.Block)):
        yield
    jax.clear_caches()


def memory_checks() -> None:
    """What four more blocks add to the memory of a step on each device, beside what they leave for the backward pass."""
    print("\n| blocks | four more blocks add, MiB | their activations by formula | their weights |\n|---|---|---|---|")
    for name, kept in (("kept", contextlib.nullcontext), ("recomputed", recomputed)):
        for width, sites, batch in ((128, 256, 64), (256, 16, 8)):
            plans = []
            for layers in (4, 8):
                model = arjax.Model(Transformer(width=width, layers=layers, heads=8), Categorical(64), (sites,))
                with kept():
                    plans.append(step_of(model, Mesh(1, 8), batch, AdamW()).compile().memory_analysis())
            added = plans[1].temp_size_in_bytes - plans[0].temp_size_in_bytes
            activations = 4 * block_activations(model.net, sites) * sites * batch // 8
            cells = f"{added / MIB:.1f} | {activations / MIB:.1f} | {4 * 4 * 12 * width**2 / MIB:.1f}"
            print(f"| {name}: {width} wide, {batch // 8} x {sites} tokens a device | {cells} |", flush=True)


def large() -> None:
    """What of the large models' states lies on each device, from shardings alone."""
    print("\n| model | parameters | data x fsdp x tensor | params, EMA, Adam: GB on each device |\n|---|---|---|---|")
    meshes = {"transformer": (SEVEN, (Mesh(256), Mesh(32, 8), Mesh(1, 256), Mesh(4, 8, 8)))}
    meshes |= {"PixelCNN++": (PIXELCNNPP, (Mesh(64), Mesh(8, 8), Mesh(1, 64)))}
    for name, (model, layouts) in meshes.items():
        for mesh in layouts:
            step = step_of(model, mesh, 1024, AdamW())
            count = sum(leaf.size for leaf in jax.tree.leaves(step.state.params))
            shape = " x ".join(str(size) for size in step.mesh.shape.values())
            print(f"| {name} | {count:,} | {shape} | {held(step.state) / GB:.3f} |", flush=True)


def seconds(step: Step, runs: int):
    """A function that runs `runs` steps and says how long one took."""
    compiled = step.compile()
    x = jax.tree.map(lambda leaf: jax.device_put(jnp.zeros(leaf.shape, leaf.dtype), leaf.sharding), step.batch)
    with jax.set_mesh(step.mesh):
        state = draw_state(step.experiment, step.state, jax.random.key(0))
    # Nobody asks for anything; see arjax/runs/hosts.py.
    asked = jax.device_put(jnp.zeros(shares(step.mesh), jnp.int32), over_batch(step.mesh))

    def run() -> float:
        nonlocal state
        began = time.perf_counter()
        for _ in range(runs):
            state, metrics, _ = compiled(state, x, jax.random.key(1), asked)
        jax.block_until_ready((state, metrics))
        return (time.perf_counter() - began) / runs

    run()
    return run


def times() -> None:
    print("| model | batch | one device, ms | data 8 | fsdp 8 |\n|---|---|---|---|---|")
    models = {
        "MADE, 500 x 500, 784 sites": (arjax.Model(MADE(hidden=(500, 500)), Bernoulli(), (28, 28)), 256, 4),
        "transformer, 2 layers, 128 wide, 64 sites": (small_transformer(), 32, 2),
    }
    for name, (model, batch, runs) in models.items():
        steps = [step_of(model, mesh, batch, AdamW()) for mesh in (Mesh(1), Mesh(8), Mesh(1, 8))]
        turns = [seconds(step, runs) for step in steps]
        one, *many = zip(*([run() for run in turns] for _ in range(RUNS)), strict=True)
        ratios = [statistics.median(a / b for a, b in zip(times, one, strict=True)) for times in many]
        cells = [name, str(batch), f"{1e3 * statistics.median(one):.0f}", *(f"{ratio:.2f}x" for ratio in ratios)]
        print(f"| {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", action="store_true", help="the wall time of a step instead")
    arguments = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 8 if arguments.time else DEVICES)
    if arguments.time:
        times()
    else:
        large()
        checks()
        memory_checks()


if __name__ == "__main__":
    main()
