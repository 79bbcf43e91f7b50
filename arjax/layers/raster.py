"""What a net that generates pictures row by row asks of the model it is in."""

import numpy as np


def check_raster(model) -> None:
    """ValueError unless the model's sites are pictures, (H, W) or (H, W, channels), generated row by row, the channels of a pixel
    in turn."""
    name, shape = type(model.net).__name__, model.site_shape
    if len(shape) not in (2, 3):
        raise ValueError(
            f"{name} needs pictures, (H, W) or (H, W, channels), not site_shape={shape}; reshape the data, or choose another net"
        )
    if not np.array_equal(model.permutation, np.arange(model.num_sites)):
        raise ValueError(f"{name} generates row by row, not in {model.order}; choose Raster(), or LMConv or MADE")


def check_channels(model) -> None:
    """ValueError unless the sites of a pixel can share every layer of a net of these `width` and `head` widths equally."""
    net, groups = model.net, (*model.site_shape, 1)[2]
    for name, width in (("width", net.width), *(("head", width) for width in net.head)):
        if width % groups:
            raise ValueError(f"{name}={width} cannot be shared by the {groups} channels of a pixel; choose a multiple")
