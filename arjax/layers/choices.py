"""Names as settings: a field annotated with a Literal takes what that lists, and nothing else."""

import dataclasses
from typing import Literal, get_args, get_origin

from arjax.errors import InputError


def check_choices(net) -> None:
    """InputError where a field of a dataclass is annotated with a Literal that does not list its value."""
    for field in dataclasses.fields(net):
        value, known = getattr(net, field.name), get_args(field.type)
        if get_origin(field.type) is Literal and value not in known:
            raise InputError(f"{field.name}={value!r} is not known; choose one of {', '.join(map(str, known))}")
