"""arjax/data/parts.py: who is held out."""

import numpy as np
import pytest
from faults import fault

from arjax.data.parts import draw_parts, named_part


@pytest.mark.parametrize(("valid", "test"), [(0.1, 0.1), (0.25, 0.05), (0.49, 0.5), (0.5, 0.49), (0.01, 0.9)])
def test_draw_parts_holds_out_of_every_class_its_fraction_and_at_least_one(valid, test):
    label = np.repeat([0, 2, 5], [40, 3, 7])[np.random.default_rng(1).permutation(50)]
    parts = draw_parts(label, valid, test, 0, "here")
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(50))
    for part, fraction in zip(parts, (1 - valid - test, valid, test), strict=True):
        assert (np.diff(part) > 0).all()
        for k, count in ((0, 40), (2, 3), (5, 7)):
            held = (label[part] == k).sum()
            assert held >= 1
            assert abs(held - fraction * count) <= 2


def test_draw_parts_is_a_function_of_its_seed_and_holds_out_others_with_another():
    label = np.zeros(60, int)
    one, same, other = (draw_parts(label, 0.1, 0.1, seed, "here") for seed in (3, 3, 4))
    for part, again, different in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(part, again)
        assert len(part) == len(different)
        assert set(part) != set(different)


def test_draw_parts_without_a_test_part_tests_on_the_validation_part():
    parts = draw_parts(np.zeros(10, int), 0.2, 0, 0, "here")
    assert parts.test is parts.valid
    assert (len(parts.train), len(parts.valid)) == (8, 2)


def test_draw_parts_names_the_class_that_has_too_few():
    label = np.array([0, 0, 0, 1, 1])
    says = "photos has 2 examples of class 'tab\\tby', and each of train, valid and test needs one; add some, or leave them out"
    assert fault(draw_parts, label, 0.1, 0.1, 0, "photos", ("cat", "tab\tby")) == says
    assert fault(draw_parts, label[:1], 0.1, 0, 0, "photos").startswith("photos has 1 example, and each of train and valid needs")


def test_named_part_knows_the_usual_names_and_no_others():
    names = {"train": "train", "Train": "train", "training": "train", "val": "valid", "validation": "valid", "dev": "valid",
             "test": "test", "trains": None, "cat": None, "": None}  # fmt: skip
    assert {name: named_part(name) for name in names} == names
