"""What a net that generates pictures row by row asks of the model it is in."""

import numpy as np


def check_raster(model, *, channel_sites: bool) -> None:
    """ValueError unless the model's sites are pictures, (H, W) or with `channel_sites` also (H, W, channels), generated row by
    row, the channels of a pixel in turn."""
    name, shape = type(model.net).__name__, model.site_shape
    if len(shape) != 2 and not (channel_sites and len(shape) == 3):
        wanted = "(H, W) or (H, W, channels)" if channel_sites else "(H, W)"
        raise ValueError(f"{name} needs pictures, {wanted}, not site_shape={shape}; reshape the data, or choose another net")
    if not np.array_equal(model.permutation, np.arange(model.num_sites)):
        raise ValueError(f"{name} generates row by row, not in {model.order}; choose Raster(), or LMConv or MADE")
