"""The first example of the README, as it stands there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.slow  # 784 sites at full size, and the whole law by enumeration
def test_readme_opens_with_an_example_that_runs():
    example, *_ = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    exec(example, names)
    assert names["y"].shape == (16, 28, 28)
    assert (names["y"][:, :14] == names["x"][:, :14]).all()
    assert (names["nats"] > 0).all()
