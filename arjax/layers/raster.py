"""What a net that generates pictures row by row asks of the model it is in."""

import numpy as np

from arjax.errors import InputError


def check_raster(model) -> None:
    """InputError unless the model's sites are pictures, (H, W) or (H, W, channels), generated row by row, the channels of a pixel
    in turn."""
    name, shape = type(model.net).__name__, model.site_shape
    if len(shape) not in (2, 3):
        raise InputError(
            f"{name} needs pictures, (H, W) or (H, W, channels), not site_shape={shape}; reshape the data, or choose another net"
        )
    if not np.array_equal(model.permutation, np.arange(model.num_sites)):
        raise InputError(f"{name} generates row by row, not in {model.order}; choose Raster(), or LMConv or MADE")


def check_channels(model) -> None:
    """InputError unless the sites of a pixel can share every layer of a net of these `width` and `head` widths equally, and each
    is one value where they are several."""
    net, groups, event = model.net, (*model.site_shape, 1)[2], model.head.event_shape
    if groups > 1 and event:
        raise InputError(
            f"site_shape={model.site_shape} has {groups} sites a pixel, and {model.head} {event[0]} values a site; choose "
            f"site_shape={model.site_shape[:2]}, or a head of one value"
        )
    for name, width in (("width", net.width), *(("head", width) for width in net.head)):
        if width % groups:
            raise InputError(f"{name}={width} cannot be shared by the {groups} channels of a pixel; choose a multiple")
