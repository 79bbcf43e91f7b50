"""`python -m arjax complete`: what it keeps, what it draws anew, and how wrong ones end."""

import jax
import numpy as np
import pytest
from PIL import Image
from trained import failure, write_run_of_random_parameters

import arjax
from arjax.__main__ import main
from arjax.commands.completing import _named_mask as hide
from arjax.data import Digits, Levels, Npz, Threshold
from arjax.heads import Bernoulli, Categorical, CoupledDiscretizedMixtureOfLogistics
from arjax.models import MADE, LMConv, PixelCNN
from arjax.orders import AnyOrder, Flipped, Snake, Spiral, s_curves
from arjax.protocol import CondSpec, Model

DATA = Digits(values=Threshold(7))
LOWER = np.indices((8, 8))[0] >= 4


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs by name, of nets in any order, in eight orders, and row by row and given labels."""
    folder, pixelcnn = tmp_path_factory.mktemp("runs"), PixelCNN(width=4, blocks=1, kernel=3)
    models = {
        "any": Model(MADE(hidden=(8,)), Bernoulli(), (8, 8), AnyOrder()),
        "curves": Model(LMConv(width=4, blocks=1, kernel=3), Bernoulli(), (8, 8), AnyOrder(Snake(), s_curves())),
        "rows": Model(pixelcnn, Bernoulli(), (8, 8), cond=CondSpec(classes=10)),
    }
    for name, model in models.items():
        write_run_of_random_parameters(folder / name, DATA, model)
    return folder


def cells(path, rows, columns, height=8, width=8):
    """uint8 [rows, columns, H, W, 3] out of a picture of them."""
    with Image.open(path) as image:
        picture = np.asarray(image)
    scale = picture.shape[0] // (rows * (height + 1) + 1)
    assert picture.shape == (scale * (rows * (height + 1) + 1), scale * (columns * (width + 1) + 1), 3)
    small = picture[::scale, ::scale][1:, 1:].reshape(rows, height + 1, columns, width + 1, 3)
    return small[:, :-1, :, :-1].swapaxes(1, 2)


@pytest.mark.parametrize("mask", ["lower", "upper", "left", "right", "centre", "random"])
def test_a_row_holds_the_image_what_is_left_of_it_and_completions_that_keep_that(mask, runs, capsys):
    main(["complete", str(runs / "any"), "--mask", mask, "--images", "3", "--completions", "2", "--seed", "5"])
    path = runs / "any" / "samples" / f"complete_{mask}_5.png"
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"3 images, {mask} hidden, and 2 completions of each in {path}"
    assert second.startswith("-log p(hidden | visible) of the truth: ")
    truth, left, *completed = np.moveaxis(cells(path, 3, 4), 1, 0)
    # Digits has 299 test images; these lie evenly among them.
    np.testing.assert_array_equal(truth[..., 0], 255 * (DATA.load().test.x[[0, 99, 199]] > 7))
    hidden = hide(mask, 8, 8, 5)
    np.testing.assert_array_equal(left[:, hidden], 128)
    for cell in (left, *completed):
        np.testing.assert_array_equal(cell[:, ~hidden], truth[:, ~hidden])
    assert set(np.unique(completed)) == {0, 255}
    assert (completed[0] != completed[1]).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize(
    ("mask", "even", "odd"),
    [
        ("lower", ("......", "......", "######", "######"), ("...", "...", "###", "###", "###")),
        ("upper", ("######", "######", "......", "......"), ("###", "###", "###", "...", "...")),
        ("left", ("###...",) * 4, ("##.",) * 5),
        ("right", ("...###",) * 4, (".##",) * 5),
        ("centre", ("......", ".####.", ".####.", "......"), ("...", "###", "###", "###", "...")),
    ],
)
def test_every_mask_hides_what_its_name_says(mask, even, odd):
    for shape, rows in (((4, 6), even), ((5, 3), odd)):
        np.testing.assert_array_equal(hide(mask, *shape, 0), [[pixel == "#" for pixel in row] for row in rows])


def test_a_random_half_is_that_of_its_seed():
    one, same, other = (hide("random", 5, 3, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert one.sum() == other.sum() == 8


def test_every_completion_is_given_the_label_of_its_image(runs):
    main(["complete", str(runs / "rows"), "--images", "2", "--completions", "3", "--seed", "1"])
    drawn = cells(runs / "rows" / "samples" / "complete_lower_1.png", 2, 5)[:, 2:, ..., 0]
    (model, params), test = arjax.load(runs / "rows"), DATA.load().test
    x, label = (np.repeat(part[[0, 149]], 3, axis=0) for part in (test.x > 7, test.label.astype(np.int32)))
    assert label[0] != label[3]
    expected = arjax.sample(model, params, jax.random.key(1), 6, cond=arjax.Cond(label), observed=x, mask=~LOWER)
    np.testing.assert_array_equal(drawn.reshape(6, 8, 8), 255 * expected)


def test_what_the_truth_costs_is_its_conditional_probability_in_the_order_of_the_completions(runs, capsys):
    main(["complete", str(runs / "curves"), "--mask", "upper", "--images", "3", "--completions", "1"])
    (model, params), x = arjax.load(runs / "curves"), DATA.load().test.x[[0, 99, 199]] > 7
    upwards = Flipped(rows=True).permutation((8, 8))
    each = arjax.theta(model, params, x, order=upwards)
    symbols = x.reshape(3, 64)[:, upwards].astype(np.int32)
    nats = -np.asarray(model.head.log_prob(each, symbols), np.float64)[:, 32:].sum(axis=1)
    said = f"{nats.mean():.3f} ± {nats.std(ddof=1) / np.sqrt(3):.3f} nats per example = {nats.mean() / 32 / np.log(2):.4f} bits"
    assert f"-log p(hidden | visible) of the truth: {said} per hidden dim, 32 of them" in capsys.readouterr().out


def test_a_picture_and_a_mask_of_ones_own_are_completed_as_the_same_test_image(runs, tmp_path, capsys):
    raw, hidden = DATA.load().test.x[0], np.zeros((8, 8), bool)
    hidden[2:5, 1:7] = True
    Image.fromarray((raw / 16 * 255).round().astype(np.uint8)).save(tmp_path / "digit.png")
    Image.fromarray(hidden.astype(np.uint8) * 255).save(tmp_path / "hole.bmp")
    np.save(tmp_path / "digit.npy", raw)
    np.save(tmp_path / "hole.npy", hidden)
    pictures = []
    for i, flags in enumerate(
        (
            ("--image", tmp_path / "digit.png", "--mask", tmp_path / "hole.bmp"),
            ("--image", tmp_path / "digit.npy", "--mask", tmp_path / "hole.npy"),
            ("--examples", 1, "--mask", tmp_path / "hole.npy"),
        )
    ):
        png = tmp_path / f"{i}.png"
        main(["complete", str(runs / "any"), *map(str, flags), "--completions", "3", "--seed", "2", "--png", str(png)])
        pictures.append(cells(png, 1, 5))
    np.testing.assert_array_equal(pictures[0], pictures[2])
    np.testing.assert_array_equal(pictures[1], pictures[2])
    truth, left, *completed = pictures[0][0, ..., 0]
    np.testing.assert_array_equal(truth, 255 * (raw > 7))
    np.testing.assert_array_equal(left, np.where(hidden, 128, truth))
    assert all((one == truth)[~hidden].all() for one in completed)
    words = capsys.readouterr().out.splitlines()
    assert words[1] == words[3] == words[5]
    assert "nats per example" in words[1]
    assert "±" not in words[1]  # of one there is no error


def test_a_picture_of_ones_own_takes_the_label_it_is_given(runs, tmp_path):
    raw = DATA.load().test.x[0]
    np.save(tmp_path / "x.npy", raw)
    png = tmp_path / "c.png"
    main(["complete", str(runs / "rows"), "--image", str(tmp_path / "x.npy"), "--label", "7", "--png", str(png)])
    model, params = arjax.load(runs / "rows")
    cond = arjax.Cond(label=np.full(8, 7, np.int32))
    expected = arjax.sample(model, params, jax.random.key(0), 8, cond=cond, observed=raw[None] > 7, mask=~LOWER)
    np.testing.assert_array_equal(cells(png, 1, 10)[0, 2:, ..., 0], 255 * expected)


def test_of_the_orders_that_the_net_was_trained_in_one_that_ends_with_the_hidden_part_is_taken(runs):
    main(["complete", str(runs / "curves"), "--mask", "upper", "--images", "1", "--completions", "4"])
    drawn = cells(runs / "curves" / "samples" / "complete_upper_0.png", 1, 6)[0, 2:, ..., 0]
    (model, params), x = arjax.load(runs / "curves"), DATA.load().test.x[:1] > 7
    upwards = Flipped(rows=True).permutation((8, 8))
    expected = arjax.sample(model, params, jax.random.key(0), 4, order=upwards, observed=x, mask=LOWER)
    np.testing.assert_array_equal(drawn, 255 * expected)


@pytest.mark.parametrize(
    ("net", "head", "sites"),
    [
        (PixelCNN(width=6, blocks=1, head=(6,), kernel=3), Categorical(4), (4, 4, 3)),
        (PixelCNN(width=4, blocks=1, kernel=3), CoupledDiscretizedMixtureOfLogistics(4, 2), (4, 4)),
        (MADE(hidden=(9,)), Categorical(4), (4, 4, 1)),
    ],
)
def test_pixels_of_several_values_are_hidden_whole(net, head, sites, tmp_path):
    x = np.random.default_rng(0).integers(0, 4, (3, *sites, *head.event_shape))
    np.savez(tmp_path / "x.npz", train=x, valid=x, test=x)
    write_run_of_random_parameters(tmp_path / "run", Npz(str(tmp_path / "x.npz"), Levels(4)), Model(net, head, sites))
    main(["complete", str(tmp_path / "run"), "--images", "2", "--completions", "2", "--png", str(tmp_path / "deep" / "c.png")])
    truth, left, *completed = np.moveaxis(cells(tmp_path / "deep" / "c.png", 2, 4, 4, 4), 1, 0)
    np.testing.assert_array_equal(truth, np.broadcast_to(85 * x[[0, 1]], truth.shape))
    np.testing.assert_array_equal(left[:, 2:], 128)
    for cell in (left, *completed):
        np.testing.assert_array_equal(cell[:, :2], truth[:, :2])
    assert (completed[0][:, 2:] != completed[1][:, 2:]).any()
    # The picture of an example is completed as the example.
    Image.fromarray(truth[1]).save(tmp_path / "own.png")
    flags = ["--image", str(tmp_path / "own.png"), "--completions", "2", "--png", str(tmp_path / "own_c.png")]
    main(["complete", str(tmp_path / "run"), *flags])
    again, _, *redrawn = np.moveaxis(cells(tmp_path / "own_c.png", 1, 4, 4, 4), 1, 0)
    np.testing.assert_array_equal(again[0], truth[1])
    np.testing.assert_array_equal(np.stack(redrawn)[:, 0, :2], np.stack([truth[1, :2]] * 2))


def test_a_wrong_command_ends_in_one_line_and_writes_nothing(runs, tmp_path, capsys):
    rows = np.zeros((2, 6), int)
    np.savez(tmp_path / "rows.npz", train=rows, valid=rows, test=rows)
    model = Model(MADE(hidden=(3,)), Bernoulli(), (6,))
    write_run_of_random_parameters(tmp_path / "flat", Npz(str(tmp_path / "rows.npz"), Levels(2)), model)
    spiral = Model(MADE(hidden=(3,)), Bernoulli(), (8, 8), Spiral())
    write_run_of_random_parameters(tmp_path / "spiral", DATA, spiral)
    run, png = runs / "rows", tmp_path / "c.png"
    cases = [
        ((tmp_path / "none",), "no run directory"),
        ((run, "--mask", "middle"), "--mask middle is none of lower, upper, left, right, centre, random, and no file"),
        (
            (run, "--mask", "upper"),
            "site 32 is observed but comes after unobserved ones in Raster(), and PixelCNN",
        ),
        ((run, "--mask", "centre"), "or use a net that takes any, as MADE or LMConv"),
        ((run, "--images", "0"), "--examples 0 must be at least 1"),
        ((run, "--images", "300"), "--examples 300 is more than the 299 of the test split; choose fewer"),
        ((run, "--completions", "0"), "--completions 0 must be at least 1"),
        ((run, "--seed", "-1"), "--seed -1 is not in 0..2**32-1"),
        ((run, "--png", tmp_path / "c.jpg"), "must end in .png"),
        ((tmp_path / "flat", "--text", "0_1"), "--text: "),
    ]
    for argv, part in cases:
        flags = () if "--png" in argv else ("--png", png)
        assert part in failure(capsys, "complete", *argv, *flags), argv
        assert not png.exists()
    assert not (tmp_path / "flat" / "samples").exists()
    # A net that takes any order does so whichever is its own.
    main(["complete", str(tmp_path / "spiral"), "--mask", "centre", "--images", "1", "--completions", "1", "--png", str(png)])
    assert png.exists()
