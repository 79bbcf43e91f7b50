"""`python -m arjax figures`: orders, masks, receptive fields, and attention of a trained transformer."""

import re

import numpy as np
import pytest
from PIL import Image
from trained import failure

from arjax import pictures
from arjax.__main__ import main
from arjax.measure import figures


@pytest.mark.parametrize(
    "what", ["orders", "masks", *(pytest.param(what, marks=pytest.mark.slow) for what in ("receptive-field", "attention"))]
)
def test_figures_draws(what, tmp_path, capsys):
    path = tmp_path / "deep" / "figure.png"
    main(["figures", what, "--png", str(path), "--height", "4", "--width", "5"])
    with Image.open(path) as image:
        assert min(image.size) > 200
    assert capsys.readouterr().out.endswith(f" in {path}\n")


@pytest.mark.slow  # four nets, thrice
def test_draw_receptive_fields_sees_something_in_every_net(monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "dependence_pictures", lambda panels: drawn.extend(panels))
    figures.draw_receptive_fields(8, 8)
    for title, seen, earlier, _ in drawn:
        assert seen.any(), title
        assert not (seen & ~earlier).any(), title


@pytest.mark.slow
def test_figures_of_a_run_over_images_draws_one_site_and_over_text_all(runs, tmp_path, capsys):
    main(["figures", "attention", "--run", str(runs("attention")), "--site", "5", "2", "--example", "4"])
    path = runs("attention") / "samples" / "attention.png"
    assert capsys.readouterr().out == f"attention at test example 4, 1 layers of 2 heads, site (5, 2), in {path}\n"
    main(["figures", "attention", "--run", str(runs("infilling")), "--png", str(tmp_path / "a.png")])
    assert "all 6 sites" in capsys.readouterr().out
    for picture in (path, tmp_path / "a.png"):
        with Image.open(picture) as image:
            assert min(image.size) > 200


def test_figures_refuses_a_site_or_an_example_that_is_not_there(runs, capsys):
    image = ("figures", "attention", "--run", runs("attention"))
    for flags, says in (
        (("--site", "8", "0"), "--site (8, 0) is outside the data of shape (8, 8)"),
        (("--site", "3"), "--site (3,) is outside the data of shape (8, 8)"),
        (("--example", "299"), "--example 299 is not in 0..298"),
    ):
        assert says in failure(capsys, *image, *flags)
    text = ("figures", "attention", "--run", runs("infilling"), "--site", "2")
    assert "drawn for all sites at once; leave it out" in failure(capsys, *text)


def test_figures_of_a_run_draws_what_any_net_depends_on(runs, tmp_path, capsys):
    main(["figures", "receptive-field", "--run", str(runs("labelled")), "--site", "4", "4", "--png", str(tmp_path / "field.png")])
    main(["figures", "dependence", "--run", str(runs("infilling")), "--png", str(tmp_path / "all.png")])
    field, all_sites = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"receptive-field at test example 0, site \(4, 4\); theta depends on [1-9]\d % of the sites .*", field)
    assert all_sites.startswith("dependence at test example 0, theta depends on 100 % of the sites before it, in ")
    for name in ("field.png", "all.png"):
        assert np.asarray(Image.open(tmp_path / name)).std() > 10


def test_figures_says_which_nets_attend(runs, capsys):
    line = failure(capsys, "figures", "attention", "--run", runs("labelled"))
    assert "is a PixelCNN, which has no method `attention`; choose a run of a net with one, as Transformer" in line
    assert "dependence is that of a trained net; give --run RUN" in failure(capsys, "figures", "dependence")
