"""How fast the device is, and what training and sampling reach of it: each family, and a transformer of the size of GPT-2.

Ceilings are measured, not published ones: the FLOP/s of a large product in float32, in the default precision of float32 and in
bfloat16, and the bytes/s of a large read and of a large copy. Figures of families are those of `arjax bench`; `Columns` is one of
their nets over a table, and has no row of its own.
"""

import functools
import statistics
from collections.abc import Iterable

import jax
import numpy as np

import arjax
from arjax.data import Arrays, Levels, Split
from arjax.heads import Categorical
from arjax.measure.bench import benchmark, time_training
from arjax.measure.results import overview, rounded, table
from arjax.measure.timing import copy_bandwidth, peak_bandwidth, peak_flops, timed
from arjax.models import Transformer
from arjax.runs.config import load_config
from arjax.sampling import ancestral
from arjax.testing.flops import executed_flops
from arjax.training import AdamW, Experiment
from benchmarks.accelerator.part import Row, Setting
from tests.zoo import ZOO

# In the order of their size, since time may run out.
CONFIGS = ("made", "histogram", "bayes_net", "rnn", "wavenet", "igpt", "pixelcnn", "gated_pixelcnn", "lmconv", "pixelcnnpp")
TINY = ("made",)
GPT2 = (Transformer(768, 12, 12, tied=True, bos=-1, dtype="bfloat16"), 50257, 1024)
TINY_GPT2 = (Transformer(32, 2, 2, tied=True, bos=-1, dtype="bfloat16"), 64, 16)
TRAIN_BATCHES = (32, 16, 8, 4, 2)  # the largest that memory holds


def ceilings(setting: Setting) -> Iterable[Row]:
    """Lists the device."""
    return [Row("device", functools.partial(_ceilings, *((256, 16) if setting.tiny else (None, None))))]


def _ceilings(size: int | None, mebibytes: int | None) -> dict:
    return {
        "device": f"{jax.devices()[0].device_kind}, one device, JAX {jax.__version__}",
        "float32": peak_flops("float32", size, precision="highest"),
        "default": peak_flops("float32", size),
        "bfloat16": peak_flops("bfloat16", size),
        "read": peak_bandwidth(mebibytes),
        "copy": copy_bandwidth(mebibytes),
    }


def report_ceilings(rows: dict[str, dict]) -> str:
    heads = ["device", "float32, TFLOP/s", "by default (TF32 on NVIDIA)", "bfloat16", "reading, GB/s", "copying"]
    units = {"float32": 1e12, "default": 1e12, "bfloat16": 1e12, "read": 1e9, "copy": 1e9}
    return table(
        heads,
        [
            [row.get("device", "-"), *(rounded(row[name] / unit) if name in row else "-" for name, unit in units.items())]
            for row in rows.values()
        ],
    )


def families(setting: Setting) -> Iterable[Row]:
    """Lists a config of each family on binarized MNIST, whose pixels are drawn at random here; in a dry run, rows of the zoo."""
    if setting.tiny:
        return [Row(name, functools.partial(_zoo_family, name)) for name in TINY]
    return [Row(f"mnist_{name}", functools.partial(_family, f"configs/mnist_{name}.py")) for name in CONFIGS]


def _family(config: str) -> dict:
    experiment = load_config(config)
    return benchmark(experiment, _drawn(experiment.model, experiment.batch_size), batch=64, runs=3, oracle=False)


def _zoo_family(name: str) -> dict:
    split = _drawn(ZOO[name], 8)
    return benchmark(_experiment(ZOO[name], split, 8), split, batch=4, runs=1, oracle=False)


def _drawn(model: arjax.Model, count: int) -> Split:
    """Random symbols, and labels where the model has classes."""
    rng = np.random.default_rng(0)
    label = {"label": rng.integers(model.cond.classes, size=count, dtype=np.int32)} if model.cond.classes else {}
    return Split(rng.integers(model.head.vocab, size=(count, *model.site_shape), dtype=np.int32), **label)


def _experiment(model: arjax.Model, split: Split, batch: int) -> Experiment:
    data = Arrays(split, split, values=Levels(model.head.vocab))
    return Experiment(data=data, model=model, optimizer=AdamW(1e-4), batch_size=batch, steps=1000, eval_every=1000)


def report_families(rows: dict[str, dict]) -> str:
    return overview(rows)


def gpt2(setting: Setting) -> Iterable[Row]:
    """Lists decoding at two batch sizes, then training."""
    net, vocab, sites = TINY_GPT2 if setting.tiny else GPT2
    model = arjax.Model(net, Categorical(vocab), (sites,))
    decode = [Row(f"decode, batch {batch}", functools.partial(_decode, model, batch)) for batch in (1, 2 if setting.tiny else 64)]
    return [*decode, Row("train", functools.partial(_train, model, (2,) if setting.tiny else TRAIN_BATCHES))]


def _decode(model: arjax.Model, batch: int) -> dict:
    """Times whole samples, and holds the bytes they cannot do without against the bandwidth: the matrices in bfloat16 once a
    token, and of every example the keys and values of the tokens before."""
    net, sites = model.net, model.num_sites
    key = jax.random.key(0)
    params = jax.block_until_ready(arjax.init(model, key))
    compilation, seconds = timed(lambda: ancestral(model, params, key, batch), 3)
    weights = 2 * (12 * net.layers * net.width**2 + model.head.vocab * net.width)
    cache = 2 * 2 * net.layers * net.width * statistics.mean(range(1, sites + 1))
    needed = sites * (weights + batch * cache)
    return {
        "batch": batch,
        "tokens_per_second": batch * sites / seconds,
        "milliseconds_a_token": 1e3 * seconds / sites,
        "weight_bytes_a_token": weights,
        "cache_bytes_a_token": batch * cache,
        "bandwidth_utilisation": needed / seconds / peak_bandwidth(),
        "peak_bytes_per_second": peak_bandwidth(),
        "compile_seconds": compilation,
    }


def _train(model: arjax.Model, batches: tuple[int, ...]) -> dict:
    """Times a step at the largest batch that memory holds. Model FLOPs are three times those of the forward pass."""
    batch, *smaller = batches
    split = _drawn(model, batch)
    try:
        compilation, seconds = time_training(_experiment(model, split, batch), split, 3)
    except RuntimeError as error:
        if not smaller or "RESOURCE_EXHAUSTED" not in str(error):
            raise
    else:
        params = jax.eval_shape(lambda: arjax.init(model, jax.random.key(0)))
        flops = 3 * executed_flops(lambda params, x: arjax.log_prob(model, params, x), params, split.x)
        return {
            "batch": batch,
            "tokens_per_second": batch * model.num_sites / seconds,
            "milliseconds_a_step": 1e3 * seconds,
            "flops_utilisation": flops / seconds / peak_flops("bfloat16"),
            "peak_flops_per_second": peak_flops("bfloat16"),
            "compile_seconds": compilation,
        }
    return _train(model, tuple(smaller))


def report_gpt2(rows: dict[str, dict]) -> str:
    figures = ("batch", "tokens_per_second", "milliseconds_a_token", "milliseconds_a_step")
    figures += ("bandwidth_utilisation", "flops_utilisation", "compile_seconds")
    heads = ["bfloat16", *(name.replace("_per_second", "/s").replace("_", " ") for name in figures)]
    return table(heads, [[name, *(rounded(row.get(figure)) for figure in figures)] for name, row in rows.items()])
