"""TensorBoard, Weights & Biases and MLflow: what they get, and that none of them can harm a run."""

import builtins
import dataclasses
import json
import struct
import sys
import threading

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

import arjax
from arjax.data import Digits
from arjax.data.exhibit import Exhibit
from arjax.description import describe
from arjax.errors import InputError
from arjax.heads import Bernoulli
from arjax.models import MADE
from arjax.runs import loggers
from arjax.runs.log import Log
from arjax.training import Experiment, Score
from arjax.training.experiment import Loggers

EXPERIMENT = Experiment(
    data=Digits(), model=arjax.Model(MADE(hidden=(4,)), Bernoulli(), (8, 8)), steps=6, eval_every=3, log_every=2, batch_size=10
)


def choosing(**chosen):
    return dataclasses.replace(EXPERIMENT, log=Loggers(tensorboard=False, **chosen))


def scored(nats):
    return Score(nats, {"nats": nats, "dims": 64.0}, 3, 1.0)


def events(path):
    """The events of a file of TensorBoard's: length (8 bytes), its checksum (4), event, its checksum (4)."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return found


def test_log_shows_tensorboard_the_experiment_scalars_texts_and_pictures(tmp_path):
    with Log(tmp_path, EXPERIMENT, 3) as log:
        log.valid(4, scored(2.5))
        log.exhibit(4, {"samples": Exhibit(np.zeros((4, 4, 3), np.uint8), ("hello\nworld",))})
    (path,) = (tmp_path / "tensorboard").iterdir()
    version, start, config, *rest = events(path)
    assert version.file_version == "brain.Event:2"
    # TensorBoard forgets what earlier files hold from there on.
    assert (start.step, start.session_log.status) == (4, 1)
    (described,) = config.summary.value
    shown = described.tensor.string_val[0].decode()
    assert described.tag == "experiment/text_summary"
    assert json.loads(shown) == describe(EXPERIMENT)
    values = {event.summary.value[0].tag: event.summary.value[0] for event in rest}
    assert values["valid/nats"].simple_value == 2.5
    assert {event.step for event in rest} == {4}
    assert values["samples/text_summary"].tensor.string_val == [b"    hello\n    world"]


def test_log_needs_no_tensorboard(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with Log(tmp_path, EXPERIMENT, 0) as log:
        log.valid(3, scored(3.0))
        log.exhibit(3, {"samples": Exhibit(texts=("one", "two"))})
    assert not (tmp_path / "tensorboard").exists()
    assert (tmp_path / "samples" / "00000003.txt").is_file()
    assert capsys.readouterr().out.count("pip install 'arjax[tensorboard]'") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is closed once more when it is let go
def test_log_goes_on_where_tensorboards_file_cannot_be_written(tmp_path, monkeypatch, capsys):
    plain = builtins.open
    full = lambda path, *rest: plain("/dev/full" if "tfevents" in str(path) else path, *rest)  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", full)
        with Log(tmp_path, EXPERIMENT, 0) as log:
            log.valid(3, scored(3.0))
    said = capsys.readouterr().out
    assert said.count("note: TensorBoard lacks all further records (OSError: [Errno 28] No space left on device") == 1
    assert [record["nats"] for record in log.records] == [3.0]


class Stuck:
    """A logger whose server does not answer."""

    def __init__(self):
        self.answers = threading.Event()

    def record(self, record):
        self.answers.wait(20)


def guarded(opens, said):
    return loggers.Guarded("Server", opens, said.append)


def test_guarded_calls_in_order_from_a_thread_of_its_own_and_closes_last():
    said, calls = [], []

    class Kept:
        def record(self, record):
            calls.append((record, threading.current_thread()))

        def close(self):
            calls.append(("closed", threading.current_thread()))

    logger = guarded(Kept, said)
    for i in range(5):
        logger.call(lambda to, i=i: to.record(i))
    logger.close()
    assert [call for call, _ in calls] == [0, 1, 2, 3, 4, "closed"]
    assert threading.main_thread() not in {thread for _, thread in calls}
    assert said == []


def test_guarded_gives_up_a_logger_that_fails_and_says_so_once():
    said = []

    def fails():
        raise RuntimeError("no\nroute")

    logger = guarded(fails, said)
    for _ in range(3):
        logger.call(lambda to: to.record({}))
    logger.close()
    assert said == ["note: Server lacks all further records (RuntimeError: no route); metrics.jsonl has them"]


@pytest.mark.parametrize(("waiting", "patience", "reason"), [(3, 60, "3 records wait for it"), (1000, 0.01, "not done 0.01 s")])
def test_guarded_waits_for_no_server_that_does_not_answer(monkeypatch, waiting, patience, reason):
    monkeypatch.setattr(loggers, "_WAITING", waiting)
    monkeypatch.setattr(loggers, "PATIENCE", patience)
    said, stuck = [], Stuck()
    logger = guarded(lambda: stuck, said)
    for _ in range(10):
        logger.call(lambda to: to.record({}))
    logger.close()
    stuck.answers.set()
    assert sum(line.startswith("note: ") for line in said) == 1
    assert reason in said[-1]


@pytest.mark.parametrize(("chosen", "package"), [("wandb", "wandb"), ("mlflow", "mlflow")])
def test_check_names_the_extra_of_a_logger_that_is_not_installed(monkeypatch, chosen, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{package} is not installed; pip install 'arjax\[{chosen}\]'"):
        loggers.check(Loggers(**{chosen: "digits"}))


def twice(folder, experiment):
    """A run that is interrupted and goes on."""
    for first, nats in ((0, 3.0), (3, 2.0)):
        with Log(folder, experiment, first) as log:
            log.valid(first + 3, scored(nats))
            picture, sound = np.zeros((4, 4, 3), np.uint8), np.zeros(8, np.float32)
            log.exhibit(first + 3, {"samples": Exhibit(picture, ("hello",), waveforms=(sound,), sample_rate=8000)})


@pytest.mark.slow
def test_wandb_keeps_offline_what_a_run_records(tmp_path, monkeypatch, capsys):
    wandb = pytest.importorskip("wandb", reason="Weights & Biases is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    loggers.check(Loggers(wandb="digits"))
    twice(tmp_path, choosing(wandb="digits"))
    assert "lacks" not in capsys.readouterr().out
    name = (tmp_path / "wandb" / "id").read_text()
    starts = sorted(path for path in (tmp_path / "wandb").glob("offline-run-*") if path.name.endswith(name))
    assert starts
    kept = b"".join(path.read_bytes() for start in starts for path in start.glob("*.wandb"))
    for part in (b"valid/nats", b"valid/dims", b"samples/text", b"arjax.models.made:MADE"):
        assert part in kept
    assert list((tmp_path / "wandb").rglob("samples*.png"))
    assert wandb.run is None  # closed


@pytest.mark.slow
def test_mlflow_has_the_run_and_goes_on_with_it(tmp_path, monkeypatch, capsys):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database takes seconds to set up
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/store")
    loggers.check(Loggers(mlflow="digits"))
    (tmp_path / "run").mkdir()
    twice(tmp_path / "run", choosing(mlflow="digits"))
    assert "lacks" not in capsys.readouterr().out
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert run.info.run_id == (tmp_path / "run" / "mlflow" / "id").read_text()
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert (run.data.params["model.net.hidden"], run.data.params["steps"]) == ("[4]", "6")
    assert run.data.params["model.net.class"] == "arjax.models.made:MADE"
    history = client.get_metric_history(run.info.run_id, "valid/nats")
    assert [(metric.step, metric.value) for metric in history] == [(3, 3.0), (6, 2.0)]
    names = {file.path for file in client.list_artifacts(run.info.run_id, "samples")}
    assert {"samples/00000003.png", "samples/00000003.txt", "samples/00000003_0.wav", "samples/00000006.png"} <= names
    with open(client.download_artifacts(run.info.run_id, "experiment.json", str(tmp_path))) as file:
        assert json.load(file)["model"]["net"]["hidden"] == [4]


@pytest.mark.slow
def test_a_run_ends_well_without_the_servers_of_its_loggers(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with Log(tmp_path, choosing(mlflow="digits"), 0) as log:
        log.valid(3, scored(3.0))
    said = capsys.readouterr().out
    assert said.count("note: MLflow lacks all further records") == 1
    assert len(log.records) == 1
