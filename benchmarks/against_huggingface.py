"""Sampling a GPT-2: arjax's scan beside `generate` of Hugging Face transformers, one process, the same weights.

    pip install -e ".[peers]"
    python benchmarks/against_huggingface.py

6 layers, 6 heads, 384 wide, 65 symbols, 256 positions, float32, both on the CPU with all its cores; transformers reads the
weights from the folder that `save_huggingface` writes. First the two are shown to compute the same: the greatest difference of
their logits. Then each draws 255 new tokens after the start, in turn; what is printed is the median rate of `RUNS` turns and the
median of their ratios. transformers' cache grows, or is static and not compiled: the one that is faster in one turn is measured.
(arjax's model has 256 sites, so it draws one token more; rates count the tokens drawn.)

At batch 1 a token needs every weight of a matrix product once: last, what part of the rate is reached that reading them from
memory would allow, at the bandwidth of summing 512 MiB.
"""

import statistics
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers

import arjax
from arjax.heads import Categorical
from arjax.interop import save_huggingface
from arjax.models import Transformer

WIDTH, LAYERS, HEADS, VOCAB, SITES, BOS, BATCHES, RUNS = 384, 6, 6, 65, 256, 0, (1, 16, 64), 3
MEBIBYTES = 512


def model() -> arjax.Model:
    net = Transformer(width=WIDTH, layers=LAYERS, heads=HEADS, activation="gelu_tanh", tied=True, bos=BOS)
    return arjax.Model(net, Categorical(VOCAB), (SITES,))


class Peer:
    """The same network in transformers."""

    def __init__(self, folder):
        self.net = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()

    @torch.no_grad()
    def logits(self, x):
        """[B, T] -> [B, T, V], of the tokens before each."""
        start = torch.full((len(x), 1), BOS)
        return self.net(torch.cat([start, torch.tensor(x)[:, :-1]], dim=1)).logits.numpy()

    @torch.no_grad()
    def sample(self, batch, cache):
        """[B, T]: the start and 255 new tokens."""
        start = torch.full((batch, 1), BOS)
        static = {"cache_implementation": "static", "disable_compile": True} if cache == "static" else {}
        return self.net.generate(
            start,
            attention_mask=torch.ones_like(start),
            max_new_tokens=SITES - 1,
            min_new_tokens=SITES - 1,
            do_sample=True,
            top_k=0,
            eos_token_id=None,
            pad_token_id=BOS,
            **static,
        )


def seconds(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def bandwidth() -> float:
    """Bytes a second that all cores read from memory together, the best of a few turns."""
    array, total = jnp.ones(MEBIBYTES * 2**18, jnp.float32), jax.jit(jnp.sum)
    jax.block_until_ready(total(array))
    return array.nbytes / min(seconds(lambda: jax.block_until_ready(total(array))) for _ in range(5))


def bytes_per_token(params) -> int:
    """What one step reads of the parameters: all but the positions, of which it reads one row. The table is read as the head."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(params)) - params["next"]["table"].nbytes


def main() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    ours_model = model()
    params, key = arjax.init(ours_model, jax.random.key(0)), jax.random.key(1)
    with tempfile.TemporaryDirectory() as folder:
        save_huggingface(folder, ours_model, params)
        peer = Peer(folder)
    x = np.asarray(arjax.sample(ours_model, params, key, batch=2))
    difference = np.abs(peer.logits(x) - np.asarray(arjax.theta(ours_model, params, x))).max()
    versions = f"PyTorch {torch.__version__}, transformers {transformers.__version__}"
    print(f"JAX {jax.__version__}, {versions}, {torch.get_num_threads()} threads")
    print(f"logits differ by {difference:.1e}")
    print("batch  arjax, tokens/s  transformers, tokens/s  its cache  ratio")
    rates = {}
    for batch in BATCHES:

        def ours(batch=batch):
            jax.block_until_ready(arjax.sample(ours_model, params, key, batch=batch))

        ours(), peer.sample(batch, "dynamic")  # compile and warm up
        cache = min(("dynamic", "static"), key=lambda cache: seconds(lambda: peer.sample(batch, cache)))  # noqa: B023

        def theirs(batch=batch, cache=cache):
            peer.sample(batch, cache)

        pairs = [(seconds(ours) / SITES, seconds(theirs) / (SITES - 1)) for _ in range(RUNS)]
        rates[batch], their = (batch / statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{batch:5}  {rates[batch]:15,.0f}  {their:22,.0f}  {cache:>9}  {ratio:5.2f}")
    read, needed = bandwidth(), bytes_per_token(params)
    floor = read / needed
    print(f"{needed / 1e6:.1f} MB a token at {read / 1e9:.1f} GB/s: at most {floor:,.0f} tokens/s at batch 1, ", end="")
    print(f"of which {rates[1] / floor:.0%} are reached")


if __name__ == "__main__":
    main()
