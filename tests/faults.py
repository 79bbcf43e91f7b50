"""The one line in which wrong input is refused."""

import re

import pytest

from arjax.errors import InputError


def fault(call, *arguments) -> str:
    """The line with which the call is refused: the fault; the remedy."""
    with pytest.raises(InputError) as info:
        call(*arguments)
    assert re.fullmatch(r"[^\n]+; [^\n]+", str(info.value))
    return str(info.value)
