"""Packages that extras bring: imported where they are used, and named with their extra where they are missing."""

import json
import sys

import pytest

from arjax.errors import InputError, require


def test_require_returns_the_module():
    assert require("json", extra="compress") is json


def test_require_names_the_extra_of_a_package_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(InputError, match=r"^constriction is not installed; pip install 'arjax\[compress\]'$"):
        require("constriction.stream", extra="compress")


def test_require_lets_a_package_that_lacks_another_one_fail_in_its_own_words(monkeypatch, tmp_path):
    (tmp_path / "half_installed.py").write_text("import not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_there"):
        require("half_installed", extra="compress")
