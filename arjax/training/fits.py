"""Whether data, as they were loaded, have what the model was made for."""

import numpy as np

from arjax.errors import InputError
from arjax.orders import AnyOrder


def check_fits(title: str, model, splits) -> None:
    """InputError unless the splits have the shape and the labels that the model was made for; `title` names the data."""
    shape, expected = splits.train.x.shape[1:], (*model.site_shape, *model.head.event_shape)
    event = model.head.event_shape
    if shape[len(shape) - len(event) :] != event:
        raise InputError(
            f"{title} has examples of shape {shape}, but {model.head} models {event[0]} values a site; choose a head of one"
        )
    if shape != expected:
        raise InputError(f"{title} has examples of shape {shape}, but the model's are {expected}; set --model.site-shape to fit")
    if splits.train.counted is not None:
        # In another order padding would come before what counts, which would be given it.
        if isinstance(model.order, AnyOrder) or not np.array_equal(model.permutation, np.arange(model.num_sites)):
            raise InputError(f"{title} has sites that do not count, which needs Raster(), not {model.order}; leave out the order")
        if splits.train.counted.shape[1:] != model.site_shape:
            raise InputError(
                f"{title} says what counts for sites of shape {splits.train.counted.shape[1:]}, but the model's are "
                f"{model.site_shape}; give one boolean for each site"
            )
    for name, declared in model.cond.features(model.site_shape).items():
        features = getattr(splits.train, name)
        if features is None or features.shape[1:] != declared:
            has = f"no {name} features" if features is None else f"{name} features of shape {features.shape[1:]}"
            flags = {"local": "--model.cond.local and --model.cond.hop", "memory": "--model.cond.memory"}[name]
            raise InputError(f"{title} has {has}, but the model wants {declared} for an example; set {flags} to fit")
    if model.cond.classes is None:
        return
    if splits.train.label is None:
        raise InputError(
            f"{title} has no labels, but the model is conditioned on {model.cond.classes} classes; "
            "leave out CondSpec(classes=...)"
        )
    highest = max(int(split.label.max()) for split in splits)
    if highest >= model.cond.classes:
        raise InputError(
            f"{title} has labels up to {highest}, but the model knows classes 0..{model.cond.classes - 1}; "
            f"set --model.cond.classes {highest + 1}"
        )
