"""`python -m arjax`: the list of commands, and what all of them share."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from trained import failure

import arjax
from arjax.__main__ import COMMANDS, main
from arjax.measure.results import read_results

ROOT = Path(__file__).parents[2]
CONFIG = """
from arjax.data import Digits
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.protocol import Model
from arjax.training import Experiment

experiment = Experiment(
    data=Digits(), model=Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), batch_size=8, steps=10, eval_every=10
)
"""


def test_main_lists_the_commands(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed and command.summary in printed for name, command in COMMANDS.items())


def test_main_imports_only_the_command_that_is_named():
    code = (
        "import sys; from arjax.__main__ import main; main(['--help']); sys.exit('jax' in sys.modules or 'tyro' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("name", COMMANDS)
def test_main_shows_the_flags_of_each_command(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("encoding", "argv", "says"),
    [
        ("ascii", ("evaluate", "digits"), r" \xb1 "),
        ("latin-1", ("evaluate", "digits"), " ± "),
        ("ascii", ("sample", "characters", "--prompt", "wörld", "--tokens", "2", "--seed", "41"), r"w\xf6rld"),
    ],
)
def test_main_escapes_what_the_encoding_of_stdout_lacks(encoding, argv, says, runs, monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    main([argv[0], str(runs(argv[1])), *argv[2:]])
    assert says in stdout.buffer.getvalue().decode(encoding)
    assert stdout.errors == "strict"  # as it was


def test_main_needs_no_stdout(runs, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)  # as after >&-
    main(["evaluate", str(runs("digits"))])


def test_main_needs_the_module_of_a_runs_own_classes_named(runs, tmp_path, monkeypatch, capsys):
    (tmp_path / "my_values.py").write_text(
        "from arjax.data.values import Threshold as Base\n"
        "import dataclasses\n\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Mine(Base):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = shutil.copytree(runs("digits"), tmp_path / "run")
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace("arjax.data.values:Threshold", "my_values:Mine"))
    command = ["sample", str(run), "--samples", "4"]
    assert "--modules my_values" in failure(capsys, *command)
    main([*command, "--modules", "my_values"])
    assert capsys.readouterr().err == ""


def test_main_warns_of_a_damaged_checkpoint_and_says_in_one_line_where_none_is_left(runs, tmp_path, capsys):
    run = shutil.copytree(runs("digits"), tmp_path / "run")
    shutil.copytree(run / "checkpoints" / "1", run / "checkpoints" / "2")
    (run / "checkpoints" / "2" / "default" / "_METADATA").unlink()
    with pytest.warns(UserWarning, match="checkpoint 2 in .* is damaged; these are the parameters of step 1"):
        _, params = arjax.load(run)
    jax.tree.map(np.testing.assert_array_equal, params, arjax.load(runs("digits")).params)
    (run / "checkpoints" / "1" / "default" / "_METADATA").unlink()
    assert "none of the checkpoints [1, 2] in" in failure(capsys, "evaluate", run)


def test_main_does_not_complain_about_a_reader_that_goes_away(tmp_path):
    # Empty is off: what was printed waits to be written until the end, as it does for most users.
    env = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
    argv = [sys.executable, "-m", "arjax", "figures", "orders", "--png", str(tmp_path / "x.png")]
    with subprocess.Popen(argv, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.slow
def test_bench_edits_the_config_by_flags_and_writes_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("arjax.measure.bench.peak_flops", lambda dtype: 1e9)
    monkeypatch.setattr("arjax.measure.bench.peak_bandwidth", lambda: 1e9)
    config, out = tmp_path / "tiny.py", tmp_path / "b.json"
    config.write_text(CONFIG)
    main(
        [
            "bench",
            str(config),
            "--batch",
            "2",
            "--repeats",
            "1",
            "--no-oracle",
            "--json",
            str(out),
            "--model.net.hidden",
            "6",
            "3",
        ]
    )
    (figures,) = read_results(out).values()
    assert figures["parameters"] == 64 * 6 + 6 + 6 * 3 + 3 + 3 * 64 + 64
    assert "time ratio" in capsys.readouterr().out
    main(["bench", "--ratios", str(out), str(out)])
    assert f"| {config} | 1.00 | 1.00 | 1.00 | - |" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_bench_of_all_configs_leaves_out_what_cannot_be_measured_and_keeps_what_was(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    for name, old, new in zip("abcd", ("8, 8", "", "size=8", "experiment"), ("8, 9", "", "size=0", "stop"), strict=True):
        (tmp_path / "configs" / f"{name}.py").write_text(CONFIG.replace(old, new))
    (tmp_path / "configs" / "e.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(SystemExit):
        main(["bench", "--all", "--batch", "2", "--repeats", "1", "--no-oracle", "--json", "b.json"])
    assert list(read_results(tmp_path / "b.json")) == ["configs/b.py"]
    printed = capsys.readouterr().out
    assert [line.split(" is left out: ")[0] for line in printed.splitlines() if " is left out: " in line] == [
        f"configs/{name}.py" for name in "acd"
    ]
