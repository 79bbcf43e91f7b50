"""What a net requires of its fields and of the model it is in."""

import dataclasses
import math
from typing import Literal, get_args, get_origin

import numpy as np

from arjax.description import check_types
from arjax.errors import InputError
from arjax.layers.masked_conv import channel_groups
from arjax.protocol import ANY_ORDER

# More layers, and wider kernels, than any net has: what someone else describes must not be traced for ever.
MAX_LAYERS = 1024
MAX_KERNEL = 63


def check_fields(net, *counts: str, kernels: tuple[str, ...] = (), layers: tuple[str, ...] = ()) -> None:
    """Raises InputError unless the fields of a net are in their ranges.

    net: a net with a field `dropout`, a rate in [0, 1). A field annotated with a Literal has one of the values that it lists.
    counts: fields that are at least 1, or None; of a tuple, each entry. kernels: fields that are odd sizes.
    layers: fields that are at least 1 and whose product is the number of layers.
    """
    for field in dataclasses.fields(net):
        value, known = getattr(net, field.name), get_args(field.type)
        if get_origin(field.type) is Literal and value not in known:
            raise InputError(f"{field.name}={value!r} is not known; choose one of {', '.join(map(str, known))}")
    check_types(net)
    for name in (*counts, *kernels, *layers):
        value = getattr(net, name)
        if value is not None and any(count < 1 for count in (value if isinstance(value, tuple | list) else (value,))):
            raise InputError(f"{name}={value} must be at least 1; choose a positive number")
    for name in kernels:
        if getattr(net, name) > MAX_KERNEL:
            raise InputError(f"{name}={getattr(net, name)} is more than {MAX_KERNEL} pixels; choose a smaller kernel")
        if getattr(net, name) % 2 == 0:
            raise InputError(f"{name}={getattr(net, name)} has no pixel in its middle; choose an odd number")
    if math.prod(getattr(net, name) for name in layers) > MAX_LAYERS:
        given = ", ".join(f"{name}={getattr(net, name)}" for name in layers)
        raise InputError(f"{given} make more than {MAX_LAYERS} layers; choose fewer")
    if not 0 <= net.dropout < 1:
        raise InputError(f"dropout={net.dropout} is not in [0, 1); choose the rate of units to drop")


def check_embedding(model) -> None:
    """Raises InputError where the model's net embeds real values."""
    if model.net.embedding and model.head.vocab is None:
        raise InputError(f"embedding={model.net.embedding} needs symbols, but the head's values are real; choose embedding=None")


def check_raster(model) -> None:
    """Raises InputError unless the model's sites are pictures, (H, W) or (H, W, channels), generated row by row, the channels of
    a pixel in turn."""
    name, shape = type(model.net).__name__, model.site_shape
    if len(shape) not in (2, 3):
        raise InputError(
            f"{name} needs pictures, (H, W) or (H, W, channels), not site_shape={shape}; reshape the data, or choose another net"
        )
    if not np.array_equal(model.permutation, np.arange(model.num_sites)):
        raise InputError(f"{name} generates row by row, not in {model.order}; choose Raster(), or {ANY_ORDER}")


def check_channels(model) -> None:
    """Raises InputError unless the sites of a pixel can share every layer of a net of these `width` and `head` widths equally,
    and each is one value where they are several."""
    net, groups, event = model.net, channel_groups(model.site_shape), model.head.event_shape
    if groups > 1 and event:
        raise InputError(
            f"site_shape={model.site_shape} has {groups} sites a pixel, and {model.head} {event[0]} values a site; choose "
            f"site_shape={model.site_shape[:2]}, or a head of one value"
        )
    for name, width in (("width", net.width), *(("head", width) for width in net.head)):
        if width % groups:
            raise InputError(f"{name}={width} cannot be shared by the {groups} channels of a pixel; choose a multiple")
