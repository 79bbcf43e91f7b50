"""The vector-quantized autoencoder of images (van den Oord, Vinyals, Kavukcuoglu 2017).

    h = encoder(x) [H/s, W/s, D],   tokens = nearest(h),   x_hat = decoder(lookup(tokens))

An image becomes a small map of tokens, in which another model is to find what is likely: the prior of the paper's section 3.3.
What quantizes is a part: a codebook, or the grid of FSQ. Training is `arjax.training.Autoencoding`; here is what it makes use
of, and the result as a tokenizer, whose `learned` is parameters and state as one flat dict of arrays.

Encoder and decoder are the convolutional ones of section 4.1. Down: for each stride s a convolution with a window of 2 s and a
ReLU, then a 3x3 convolution and the residual blocks (ReLU, 3x3, ReLU, 1x1). Up: a 3x3 convolution, the residual blocks, and for
each stride, the last first, what undoes it. The full width is reached at the coarsest resolution; each finer one has half of it.

Deviation: a stride is undone by a 3x3 convolution that computes the s x s pixels of a place as channels, which then change
their place (Shi et al. 2016), in place of a transposed convolution with a window of 2 s. Every pixel sees more of the coarse
map, no pixel fewer weights than its neighbour, and on a CPU the gradient takes a quarter of the time.
"""

import dataclasses
import functools
import math
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from arjax.description import check_types
from arjax.errors import InputError
from arjax.tokenizers.codebook import EMACodebook
from arjax.tokenizers.images import in_parts, over_images
from arjax.tokenizers.tokenizer import check_learned, check_range


@dataclasses.dataclass(frozen=True)
class VQVAE:
    """Tokenizer of images of values in [0, 1]."""

    shape: tuple[int, ...] = (28, 28)
    """Shape of the images: height and width, and channels where they are coloured."""
    strides: tuple[int, ...] = (2, 2)
    """What each level divides height and width by."""
    width: int = 128
    """Channels of the convolutions at the coarsest level."""
    residual_width: int = 32
    """Channels inside the residual blocks."""
    blocks: int = 2
    """Residual blocks there, on either side."""
    quantizer: Any = EMACodebook()
    """What makes tokens of vectors: EMACodebook, Codebook, FSQ, or a Quantizer of your own."""

    lossless: ClassVar[bool] = False

    def __post_init__(self):
        check_types(self)
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
        """Draws (params {"encoder", "decoder", "quantizer"}, state), the state being the quantizer's. Works under jit."""
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
        """Encodes x [B, *shape] float32: h [B, H/s, W/s, D], what is quantized."""
        return self._encoder.apply({"params": params["encoder"]}, x.reshape(len(x), *self.shape[:2], self._channels))

    def picture(self, params, q):
        """Decodes q [B, H/s, W/s, D]: [B, *shape] float32, not confined to [0, 1]."""
        return self._decoder.apply({"params": params["decoder"]}, q).reshape(len(q), *self.shape)

    def tokens(self, params, state, x):
        """Quantizes x [B, *shape]: tokens [B, H/s, W/s]."""
        return self.quantizer.nearest(params["quantizer"], state, self.features(params, x))

    def restored(self, params, state, tokens):
        """Decodes tokens [B, H/s, W/s]: [B, *shape] in [0, 1]."""
        return jnp.clip(self.picture(params, self.quantizer.lookup(params["quantizer"], state, tokens)), 0, 1)

    def fit(self, data):
        raise InputError("a VQVAE is not fitted along with a model; train it by itself with train.py, and name that run")

    def flatten(self, params, state) -> dict:
        """Returns parameters and state as `learned`: arrays by names as "params/encoder/enter/kernel"."""
        return flatten_dict({"params": params, "state": state}, sep="/")

    def unflatten(self, learned) -> tuple[dict, dict]:
        """Returns (params, state) out of `learned`, which has to be this VQVAE's own, see `check`."""
        tree = unflatten_dict(learned, sep="/")
        return {"quantizer": {}} | tree["params"], tree.get("state", {})  # where a quantizer has none

    def check(self, learned):
        check_learned(self.title, learned, self.flatten(*jax.eval_shape(self.init, jax.random.key(0))))

    def encode(self, learned, x):
        """Turns x [B, *shape] into tokens, int32 [B, H/s, W/s]. A NumPy array passes through in parts and becomes another."""
        shape, dtype = np.shape(x), jnp.result_type(x)
        if shape[1:] != self.shape or len(shape) != len(self.shape) + 1:
            raise InputError(f"x has shape {shape}, but this VQVAE takes [B, {', '.join(map(str, self.shape))}]; reshape it")
        if not jnp.issubdtype(dtype, jnp.floating):
            raise InputError(f"x is {dtype}, but a VQVAE takes real values in [0, 1]; scale it as the data set's values do")
        return in_parts(functools.partial(_encode, self, dict(learned)), x)

    def decode(self, learned, tokens):
        """Turns tokens [B, H/s, W/s] into float32 [B, *shape] in [0, 1]; in parts as `encode`."""
        shape, dtype = np.shape(tokens), jnp.result_type(tokens)
        expected = self.token_shape(self.shape)
        if shape[1:] != expected or len(shape) != 3 or not jnp.issubdtype(dtype, jnp.integer):
            raise InputError(
                f"tokens are {dtype} {shape}, but this VQVAE's are integers [B, {expected[0]}, {expected[1]}]; give those"
            )
        check_range("token", tokens, self.vocab)
        return in_parts(functools.partial(_decode, self, dict(learned)), tokens)

    over = over_images

    @property
    def _channels(self) -> int:
        return self.shape[2] if len(self.shape) == 3 else 1

    @property
    def _encoder(self):
        return Encoder(self.quantizer.width, self.strides, self.width, self.residual_width, self.blocks)

    @property
    def _decoder(self):
        return Decoder(self._channels, self.strides, self.width, self.residual_width, self.blocks)


@functools.partial(jax.jit, static_argnums=0)
def _encode(model, learned, x):
    return model.tokens(*model.unflatten(learned), x.astype(jnp.float32))


@functools.partial(jax.jit, static_argnums=0)
def _decode(model, learned, tokens):
    return model.restored(*model.unflatten(learned), tokens)


class Encoder(nn.Module):
    """x [B, H, W, C] -> h [B, H / s, W / s, features], s the product of the strides."""

    features: int
    strides: tuple[int, ...]
    width: int
    residual_width: int
    blocks: int

    @nn.compact
    def __call__(self, x):
        h = x
        for i, (stride, width) in enumerate(zip(self.strides, _widths(self), strict=True)):
            h = nn.relu(nn.Conv(width, (2 * stride,) * 2, (stride,) * 2, name=f"down{i}")(h))
        h = nn.Conv(self.width, (3, 3), name="enter")(h)
        for i in range(self.blocks):
            h = Residual(self.residual_width, name=f"block{i}")(h)
        return nn.Dense(self.features, name="leave")(nn.relu(h))


class Decoder(nn.Module):
    """q [B, H / s, W / s, D] -> x [B, H, W, channels], not yet confined to [0, 1]."""

    channels: int
    strides: tuple[int, ...]
    width: int
    residual_width: int
    blocks: int

    @nn.compact
    def __call__(self, q):
        h = nn.Conv(self.width, (3, 3), name="enter")(q)
        for i in range(self.blocks):
            h = Residual(self.residual_width, name=f"block{i}")(h)
        widths = (self.channels, *_widths(self)[:-1])
        for i, stride in reversed(tuple(enumerate(self.strides))):
            h = nn.Conv(stride**2 * widths[i], (3, 3), name=f"up{i}")(nn.relu(h))
            h = depth_to_space(h, stride)
        return h


class Residual(nn.Module):
    """h + 1x1(relu(3x3(relu(h)))), [B, H, W, C] -> the same."""

    width: int

    @nn.compact
    def __call__(self, h):
        y = nn.Conv(self.width, (3, 3), name="mix")(nn.relu(h))
        return h + nn.Dense(h.shape[-1], name="back")(nn.relu(y))


def depth_to_space(h: jax.Array, stride: int) -> jax.Array:
    """[B, H, W, s s C] -> [B, s H, s W, C]."""
    batch, height, width, channels = h.shape
    h = h.reshape(batch, height, width, stride, stride, channels // stride**2)
    return h.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * stride, width * stride, -1)


def _widths(net) -> list[int]:
    """The width after each stride: the full one after the last, half of the next one after each before."""
    return [max(1, net.width >> i) for i in reversed(range(len(net.strides)))]
