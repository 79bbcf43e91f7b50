"""Characters, bytes and byte-pair tokens compared fairly: bits per byte of the original text, by one network at one budget.

    python benchmarks/text_tokenizers.py --out runs/tokenizers.md

For each text a transformer of 4 layers, 4 heads, 128 wide is trained on each kind of symbol, with the same number of steps and
windows of about as many bytes (144), each window scored without what stood before it. What is held out is the same text. Needs
tinyshakespeare and the Wikipedia sample under $ARJAX_DATA, or fetches them there.
"""

import argparse
import functools
import tempfile
import time
from pathlib import Path

import jax

import arjax
from arjax.data import TextFiles, TinyShakespeare, WikipediaSample, training_batches
from arjax.files import write_whole
from arjax.heads import Categorical
from arjax.likelihood import bits_per_dim
from arjax.models import Transformer
from arjax.tokenizers import BPE
from arjax.training import AdamW, Cosine, Experiment
from arjax.training.evaluation import evaluate
from arjax.training.state import init_state, train_step

BYTES, TOKENS, VOCAB = 144, 64, 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [
        "| text | symbols | window, symbols | bytes a symbol | parameters | seconds | nats/symbol | bits/byte |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for text, symbols, data in data_sets(Path(folder)):
            lines.append(f"| {text} | {symbols} | {' | '.join(measure(data, options.steps, options.batch))} |")
            print(lines[-1], flush=True)
    if options.out:
        write_whole(options.out, "\n".join(lines) + "\n")


def data_sets(folder: Path):
    """(text, kind of symbol, data set); plain copies of the texts are written to `folder`."""
    for text, data in (("tinyshakespeare", TinyShakespeare(TOKENS)), ("Wikipedia sample", WikipediaSample(TOKENS))):
        train, valid, test = data.texts()
        parts = (train, valid) if test is valid else (train, valid, test)
        content = b"".join(part.tobytes() for part in parts)
        file = folder / text.replace(" ", "_")
        file.write_bytes(content)
        last = {"valid": 0.05, "test": 0.05} if len(parts) == 3 else {"valid": 0.1, "test": 0.0}
        for symbols in ("characters", "bytes"):
            stream = TextFiles(str(file), symbols, length=BYTES, ends=False, held_out="place", **last).examined().data
            yield text, f"{len(stream.alphabet)} characters" if stream.alphabet else symbols, stream
        tokenizer = BPE(VOCAB)
        yield text, f"BPE, {VOCAB} tokens", tokenizer.over(data, tokenizer.fit(data))


def measure(data, steps: int, batch: int) -> list[str]:
    """A row of the table."""
    splits, vocab = data.load(), data.values.vocab
    net = Transformer(width=128, layers=4, heads=4, tied=True)
    model = arjax.Model(net=net, head=Categorical(vocab), site_shape=splits.train.x.shape[1:])
    optimizer = AdamW(learning_rate=3e-3, schedule=Cosine(warmup=100), weight_decay=0.1, b2=0.99, clip=64.0)
    experiment = Experiment(data=data, model=model, optimizer=optimizer, steps=steps, eval_every=steps, ema=0.99)
    batches = training_batches(splits.train, batch, seed=0)
    state = jax.jit(functools.partial(init_state, experiment))(jax.random.key(0))
    update = jax.jit(functools.partial(train_step, experiment), donate_argnums=0)
    key = jax.random.key(1)
    began = time.perf_counter()
    for step in range(steps):
        state, _ = update(state, batches[step], key)
    jax.block_until_ready(state)
    seconds = time.perf_counter() - began
    result = evaluate(model, state.ema, splits.test, data.values, batch_size=64, key=key)
    each = data.medium.original_bytes(splits.test.x).mean()
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    return [
        str(model.num_sites),
        f"{each / model.num_sites:.2f}",
        f"{count:,}",
        f"{seconds:.0f}",
        f"{result.nats / result.dims:.4f}",
        f"{bits_per_dim(result.nats, each):.4f}",
    ]


if __name__ == "__main__":
    main()
