"""`python -m arjax figures attention`: over an image, over a text, and how wrong ones end."""

import numpy as np
import pytest
from PIL import Image
from trained import failure, write_run_of_random_parameters

from arjax.__main__ import main
from arjax.data import Characters, Digits, Threshold
from arjax.heads import Bernoulli, Categorical
from arjax.models import MADE, Transformer
from arjax.orders import Snake
from arjax.pictures import attention_pictures
from arjax.protocol import Model

DATA = Digits(values=Threshold(7))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "play.txt").write_text("to be or not to be\n" * 20)
    text = Characters(str(folder / "play.txt"), " \nbenort", length=8)
    models = {
        "image": (DATA, Model(Transformer(8, 1, 2), Bernoulli(), (8, 8), Snake())),
        "text": (text, Model(Transformer(8, 1, 2), Categorical(8), (8,))),
        "made": (DATA, Model(MADE(hidden=(4,)), Bernoulli(), (8, 8))),
    }
    for name, (data, model) in models.items():
        write_run_of_random_parameters(folder / name, data, model)
    return folder


def test_a_run_over_images_is_drawn_for_one_site(runs, capsys):
    main(["figures", "attention", "--run", str(runs / "image"), "--site", "5", "2", "--example", "4"])
    path = runs / "image" / "samples" / "attention.png"
    assert capsys.readouterr().out == f"attention over test example 4, 1 layers of 2 heads, site (5, 2), in {path}\n"
    with Image.open(path) as picture:
        assert min(picture.size) > 200


def test_a_run_over_text_is_drawn_for_all_sites(runs, tmp_path, capsys):
    main(["figures", "attention", "--run", str(runs / "text"), "--out", str(tmp_path / "a.png")])
    assert "all 8 sites" in capsys.readouterr().out
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 200


def test_what_is_most_attended_to_is_reddest(tmp_path):
    weights = np.zeros((1, 1, 2, 3))
    weights[0, 0, 0] = [0.5, 0.25, 0]
    known = np.array([[True, True, True], [False, False, False]])
    attention_pictures(tmp_path / "a.png", np.zeros((2, 3)), weights, np.full((1, 1), 0.25), known, (1, 0))
    with Image.open(tmp_path / "a.png") as picture:
        colors = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0).astype(int)
    red, half_red, covered, paper = (217, 0, 0), (231, 122, 122), (204, 222, 242), (245, 245, 245)
    for color in (red, half_red, covered, paper):
        assert (abs(colors - color).max(axis=1) <= 2).any(), color


def test_a_wrong_command_ends_in_one_line(runs, tmp_path, capsys):
    image = ("figures", "attention", "--run", runs / "image")
    cases = [
        (("figures", "attention", "--run", tmp_path / "none"), "no run directory"),
        (("figures", "attention", "--run", runs / "made"), "is a MADE, which attends to nothing; choose a run of a Transformer"),
        (("figures", "orders", "--run", runs / "image"), "orders are not drawn of a run"),
        ((*image, "--site", "8", "0"), "--site (8, 0) is outside the data of shape (8, 8)"),
        ((*image, "--site", "3"), "--site (3,) is outside the data of shape (8, 8)"),
        ((*image, "--site", "-1", "0"), "is outside"),
        ((*image, "--example", "299"), "--example 299 is not in 0..298"),
        ((*image, "--out", tmp_path / "x.jpg"), "must end in .png"),
        (("figures", "attention", "--run", runs / "text", "--site", "2"), "drawn for all sites at once; leave it out"),
    ]
    for argv, part in cases:
        assert part in failure(capsys, *argv), argv
