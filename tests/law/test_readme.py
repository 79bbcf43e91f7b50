"""The first example of the README and its net, as they stand there."""

import re
from pathlib import Path

import jax
import pytest
from own_nets import PARTS

from arjax import testing

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.slow  # 784 sites at full size, and the whole law by enumeration
def test_readme_opens_with_an_example_that_runs():
    example, *_ = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    exec(example, names)
    assert names["y"].shape == (16, 28, 28)
    assert (names["y"][:, :14] == names["x"][:, :14]).all()
    assert (names["nats"] > 0).all()


@pytest.mark.parametrize("parts", [PARTS, pytest.param(testing.PARTS, marks=pytest.mark.slow)], ids=["first", "all"])
def test_readme_has_a_net_that_obeys_the_law_and_is_fitted(parts, tmp_path, monkeypatch):
    own = README.read_text().partition("## Your own net")[2]
    example = re.search(r"```python\n(.*?)```", own, re.DOTALL)[1]
    lines = []
    names = {"__name__": "readme", "print": lines.append}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(testing, "PARTS", parts)
    with jax.numpy_rank_promotion("allow"):  # as where users run it; most of the time is its training
        exec(example, names)
    assert [line.split()[0] for line in lines] == [part.__name__.removeprefix("check_") for part in parts]
    assert {line.split()[0] for line in lines if "skipped" in line} <= {"prefill", "order_per_example"}
    assert set(names["params"]) == {"w", "b", "v", "c"}
    assert not any(tmp_path.iterdir())
