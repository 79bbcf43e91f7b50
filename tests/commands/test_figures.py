"""`python -m arjax figures`: each figure is written, without a run and of a run."""

import re

import numpy as np
import pytest
from PIL import Image
from trained import failure

from arjax.__main__ import main
from arjax.measure.figures import FIGURES, cache, codebook, densities, loss, sharing
from arjax.measure.figures.fitting import fitted

_QUICK = ("bayes-net", "masks")


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.found and name in _QUICK])
def test_figures_draws(name, tmp_path, capsys):
    draws(name, tmp_path, capsys)


@pytest.mark.slow  # some of them compile what they measure
@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.found and name not in _QUICK])
def test_figures_draws_what_it_fits_or_measures(name, tmp_path, capsys, monkeypatch):
    for module in (densities, sharing, codebook, loss):
        monkeypatch.setattr(module, "fitted", lambda model, data, steps, **fields: fitted(model, data, 20, **fields))
    monkeypatch.setattr(loss, "_STEPS", 20)
    monkeypatch.setattr(cache, "_LENGTHS", (4, 8))
    draws(name, tmp_path, capsys)


def draws(name, tmp_path, capsys):
    """Is the figure written, with more in it than its paper?"""
    path = tmp_path / "deep" / "figure.png"
    size = ["--height", "4", "--width", "5"] if FIGURES[name].sized else []
    main(["figures", name, "--png", str(path), *size])
    with Image.open(path) as image:
        assert image.size[0] == 1440
        assert image.size[1] > 400
        assert (np.asarray(image.convert("L")) < 200).mean() > 0.01
    assert capsys.readouterr().out.endswith(f" in {path}\n")


def test_figures_without_a_name_lists_what_there_is(capsys):
    main(["figures"])
    printed = capsys.readouterr().out
    for name, figure in FIGURES.items():
        assert f"  {name} " in printed
        assert figure.summary in printed


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


@pytest.mark.slow  # compiles a pass over changed examples for two nets
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
    assert "dependence shows a trained net; give --run RUN" in failure(capsys, "figures", "dependence")


@pytest.mark.slow
def test_figures_of_a_run_draws_its_memory_and_its_tokens(runs, tmp_path, capsys):
    for name, run, said in (
        ("rnn", "labelled", "rnn at test example 0, 64 sites, in "),
        ("tokens", "infilling", "tokens at test example 0, 6 symbols, in "),
    ):
        main(["figures", name, "--run", str(runs(run)), "--png", str(tmp_path / f"{name}.png")])
        assert capsys.readouterr().out.startswith(said)
        assert np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")).std() > 5
