"""Two files of benchmark results as one table of ratios."""

import math

import pytest

from arjax.measure.results import as_json, overview, ratios, read_results

OLD = {"a.py": {"device": "cpu", "batch": 16, "train_examples_per_second": 100.0, "log_prob_examples_per_second": 10.0}}
NEW = {"a.py": {"device": "cpu", "batch": 16, "train_examples_per_second": 150.0, "log_prob_examples_per_second": math.nan}}


def test_read_results_reads_what_as_json_wrote_with_null_for_what_does_not_exist(tmp_path):
    (tmp_path / "new.json").write_text(as_json(NEW))
    assert read_results(tmp_path / "new.json") == {"a.py": NEW["a.py"] | {"log_prob_examples_per_second": None}}


def test_ratios_are_new_over_old_and_a_dash_where_one_is_missing():
    table = ratios(OLD, NEW).splitlines()
    assert table == [
        "| new / old | train examples | log prob examples | samples cached | samples naive |",
        "| --------- | -------------- | ----------------- | -------------- | ------------- |",
        "| a.py      | 1.50           | -                 | -              | -             |",
    ]


def test_overview_has_a_row_for_every_config_and_a_dash_for_what_is_missing():
    figures = {"parameters": 12345678, "sites": 3, "train_examples_per_second": 1234.56}
    figures |= {"work_ratio": 0.98765, "time_ratio": math.nan}
    head, _, row, other = overview({"a.py": figures, "b.py": {}}).splitlines()
    of = dict(zip(map(str.strip, head.split("|")), map(str.strip, row.split("|")), strict=True))
    assert (of["parameters"], of["sites"], of["train examples/s"]) == ("12,345,678", "3", "1,235")
    assert (of["work ratio"], of["time ratio"], of["samples/s cached"]) == ("0.988", "-", "-")
    assert set(map(str.strip, other.strip("| ").split(" | "))) == {"b.py", "-"}


def test_ratios_name_other_devices_and_batches():
    other = {"a.py": NEW["a.py"] | {"device": "gpu", "batch": 64}, "b.py": {}}
    table = ratios(OLD, other)
    assert "| a.py (batch 64 / 16) | 1.50 " in table
    assert table.endswith("Not the same device: cpu; gpu.")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "arjax-bench-1"}', '{"format": "other", "results": {}}', "[" * 9999]
)
def test_read_results_refuses_a_file_of_another_kind(tmp_path, content):
    (tmp_path / "new.json").write_text(content)
    with pytest.raises(ValueError, match="; give a file that bench --json wrote"):
        read_results(tmp_path / "new.json")


def test_ratios_refuse_results_without_a_config_in_common():
    with pytest.raises(ValueError, match=r"no config in common: a.py and b.py; bench the same ones"):
        ratios(OLD, {"b.py": {}})
