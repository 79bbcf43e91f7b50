"""The vector-quantized autoencoder of images (van den Oord, Vinyals, Kavukcuoglu 2017).

    h = encoder(x) [H/s, W/s, D],   tokens = nearest(h),   x_hat = decoder(lookup(tokens))

An image becomes a small map of tokens, in which another model is to find what is likely: the prior of the paper's section 3.3.
What quantizes is a part: a codebook, or the grid of FSQ. Training is `arjax.training.reconstruction`; here is what it makes use
of, and the result as a tokenizer, whose `learned` is parameters and state as one flat dict of arrays.
"""

import dataclasses
import functools
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from arjax.errors import InputError
from arjax.tokenizers.autoencoder import Decoder, Encoder
from arjax.tokenizers.codebook import EMACodebook
from arjax.tokenizers.images import TokenizedImages, check_range, in_parts


@dataclasses.dataclass(frozen=True)
class VQVAE:
    """Tokenizer of images of values in [0, 1].

    shape: (H, W) of grey or (H, W, C) of coloured images. strides: what each level divides height and width by. width: of the
    convolutions at the coarsest level. residual_width, blocks: of the residual blocks there, on either side. quantizer:
    EMACodebook, Codebook or FSQ, or whatever else is a Quantizer. Typed Any so that command lines can edit its fields.
    """

    shape: tuple[int, ...] = (28, 28)
    strides: tuple[int, ...] = (2, 2)
    width: int = 128
    residual_width: int = 32
    blocks: int = 2
    quantizer: Any = EMACodebook()

    lossless: ClassVar[bool] = False

    def __post_init__(self):
        if len(self.shape) not in (2, 3) or any(size < 1 for size in self.shape):
            raise InputError(f"shape={self.shape} is not that of an image; give (H, W) for grey or (H, W, C) for colour")
        if any(stride < 1 for stride in self.strides):
            raise InputError(f"strides={self.strides} must each be at least 1; choose for example (2, 2)")
        for name, least in (("width", 1), ("residual_width", 1), ("blocks", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} must be at least {least}; choose more")
        factor = math.prod(self.strides)
        if any(size % factor for size in self.shape[:2]):
            raise InputError(
                f"shape={self.shape} is not divisible by {factor}, the product of strides={self.strides}; "
                "pad it or choose other strides"
            )

    @property
    def vocab(self) -> int:
        return self.quantizer.size

    @property
    def title(self) -> str:
        return f"VQ-VAE of {self.vocab} codes"

    def token_shape(self, shape):
        if tuple(shape) != self.shape:
            raise InputError(f"an example has shape {tuple(shape)}, but this VQVAE is of shape={self.shape}; train one for it")
        factor = math.prod(self.strides)
        return self.shape[0] // factor, self.shape[1] // factor

    def init(self, key) -> tuple[dict, dict]:
        """(params {"encoder", "decoder", "quantizer"}, state), the state being the quantizer's. Works under jit."""
        encoder_key, decoder_key, quantizer_key = jax.random.split(key, 3)
        height, width = self.token_shape(self.shape)
        codes, state = self.quantizer.init(quantizer_key)
        params = {
            "encoder": self._encoder.init(encoder_key, jnp.zeros((1, *self.shape[:2], self._channels)))["params"],
            "decoder": self._decoder.init(decoder_key, jnp.zeros((1, height, width, self.quantizer.width)))["params"],
            "quantizer": codes,
        }
        return params, state

    def features(self, params, x):
        """x [B, *shape] float32 -> h [B, H/s, W/s, D], what is quantized."""
        return self._encoder.apply({"params": params["encoder"]}, x.reshape(len(x), *self.shape[:2], self._channels))

    def picture(self, params, q):
        """q [B, H/s, W/s, D] -> [B, *shape] float32, not confined to [0, 1]."""
        return self._decoder.apply({"params": params["decoder"]}, q).reshape(len(q), *self.shape)

    def reconstruct(self, params, state, x):
        """x [B, *shape] -> (x_hat [B, *shape] in [0, 1], tokens [B, H/s, W/s])."""
        tokens = self.quantizer.nearest(params["quantizer"], state, self.features(params, x))
        q = self.quantizer.lookup(params["quantizer"], state, tokens)
        return jnp.clip(self.picture(params, q), 0, 1), tokens

    def fit(self, data):
        raise InputError("a VQVAE is not fitted along with a model; train it by itself with train.py, and name that run")

    def flatten(self, params, state) -> dict:
        """Parameters and state as `learned`: arrays by names as "params/encoder/enter/kernel"."""
        return flatten_dict({"params": params, "state": state}, sep="/")

    def unflatten(self, learned) -> tuple[dict, dict]:
        """`learned` -> (params, state). It has to be this VQVAE's own, see `check`."""
        names = flatten_dict(_abstract(self), sep="/", keep_empty_nodes=True)
        tree = unflatten_dict({name: learned.get(name, empty) for name, empty in names.items()}, sep="/")
        return tree["params"], tree["state"]

    def check(self, learned):
        expected = flatten_dict(_abstract(self), sep="/")
        unlike = expected.keys() ^ learned.keys()
        if unlike:
            name = min(unlike)
            found = "has" if name in learned else "lacks"
            raise InputError(f"what was learned {found} {name!r}, unlike this {self.title}; give what such a tokenizer learned")
        for name, leaf in expected.items():
            array = np.asarray(learned[name])
            if (array.shape, array.dtype) != (leaf.shape, leaf.dtype):
                raise InputError(
                    f"learned {name!r} is {array.dtype} {array.shape}, not {leaf.dtype} {leaf.shape} as in this {self.title}; "
                    "give what such a tokenizer learned"
                )
            if not np.isfinite(array).all():
                raise InputError(f"learned {name!r} has values that are not finite; train the tokenizer again")

    def encode(self, learned, x):
        """x [B, *shape] -> tokens, int32 [B, H/s, W/s]. A NumPy array passes through in parts and becomes a NumPy array."""
        shape, dtype = np.shape(x), jnp.result_type(x)
        if shape[1:] != self.shape or len(shape) != len(self.shape) + 1:
            raise InputError(f"x has shape {shape}, but this VQVAE takes [B, {', '.join(map(str, self.shape))}]; reshape it")
        if not jnp.issubdtype(dtype, jnp.floating):
            raise InputError(f"x is {dtype}, but a VQVAE takes real values in [0, 1]; scale it as the data set's values do")
        return _apply(functools.partial(_encode, self), learned, x)

    def decode(self, learned, tokens):
        """Tokens [B, H/s, W/s] -> float32 [B, *shape] in [0, 1]; in parts as `encode`."""
        shape, dtype = np.shape(tokens), jnp.result_type(tokens)
        expected = self.token_shape(self.shape)
        if shape[1:] != expected or len(shape) != 3 or not jnp.issubdtype(dtype, jnp.integer):
            raise InputError(
                f"tokens are {dtype} {shape}, but this VQVAE's are integers [B, {expected[0]}, {expected[1]}]; give those"
            )
        check_range("token", tokens, self.vocab)
        return _apply(functools.partial(_decode, self), learned, tokens)

    def over(self, data, learned):
        return TokenizedImages(data, self, learned)

    @property
    def _channels(self) -> int:
        return self.shape[2] if len(self.shape) == 3 else 1

    @property
    def _encoder(self) -> Encoder:
        return Encoder(self.quantizer.width, self.strides, self.width, self.residual_width, self.blocks)

    @property
    def _decoder(self) -> Decoder:
        return Decoder(self._channels, self.strides, self.width, self.residual_width, self.blocks)


@functools.lru_cache(maxsize=16)
def _abstract(model: VQVAE) -> dict:
    """The shapes of {"params", "state"}."""
    params, state = jax.eval_shape(model.init, jax.random.key(0))
    return {"params": params, "state": state}


@functools.partial(jax.jit, static_argnums=0)
def _encode(model, learned, x):
    params, state = model.unflatten(learned)
    return model.quantizer.nearest(params["quantizer"], state, model.features(params, x.astype(jnp.float32)))


@functools.partial(jax.jit, static_argnums=0)
def _decode(model, learned, tokens):
    params, state = model.unflatten(learned)
    q = model.quantizer.lookup(params["quantizer"], state, tokens)
    return jnp.clip(model.picture(params, q), 0, 1)


def _apply(function, learned, x):
    """function(learned, x), in parts where x is a NumPy array, of which there may be many examples."""
    learned = {name: jnp.asarray(array) for name, array in learned.items()}
    if isinstance(x, np.ndarray):
        return in_parts(functools.partial(function, learned), x)
    return function(learned, jnp.asarray(x))
