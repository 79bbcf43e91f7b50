"""The convolutional encoder and decoder of an image (van den Oord, Vinyals, Kavukcuoglu 2017, section 4.1).

Down: for each stride s a convolution with a window of 2 s and a ReLU, then a 3x3 convolution and the residual blocks (ReLU, 3x3,
ReLU, 1x1). Up: a 3x3 convolution, the residual blocks, and for each stride, the last first, what undoes it. The full width is
reached at the coarsest resolution; each finer one has half of that.

Deviation: a stride is undone by a 3x3 convolution that computes the s x s pixels of a place as channels, which then change
their place (Shi et al. 2016), in place of a transposed convolution with a window of 2 s. Every pixel sees more of the coarse
map, no pixel fewer weights than its neighbour, and on a CPU the gradient takes a quarter of the time.
"""

import flax.linen as nn
import jax


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
