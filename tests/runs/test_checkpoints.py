import gc
import json
import logging
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from arjax.runs.checkpoints import checksums, open_checkpoints, restore_best, restore_latest, save
from arjax.training import Mesh

# Orbax's threads stumble over a damaged file once more where nobody can catch them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def what_the_threads_leave_is_cleared_away():
    yield
    gc.collect()


SHARDING = jax.sharding.SingleDeviceSharding(jax.devices()[0])


def tree(value, width=1000):
    # Plain nesting of what a train state has: floats, an integer, an empty part.
    return {"params": {"w": jnp.full((width, 3), value), "b": jnp.arange(5.0) * value}, "step": jnp.int32(value), "state": ()}


def abstract(state):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=SHARDING), state)


ABSTRACT = abstract(tree(0.0))


def break_step(folder, step):
    """Remove the arrays of a checkpoint."""
    for name in ("d", "ocdbt.process_0"):
        shutil.rmtree(folder / str(step) / "default" / name)


def contents(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_restore_latest_gives_what_was_saved(tmp_path):
    assert restore_latest(tmp_path, ABSTRACT) == (None, 0, np.inf, (), 0, ())
    with open_checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 7, tree(np.pi), 2.5)
    restored = restore_latest(tmp_path, ABSTRACT)
    jax.tree.map(np.testing.assert_array_equal, restored.state, tree(np.pi))
    assert (restored.step, restored.loss, restored.damaged) == (7, 2.5, ())


def test_save_lets_the_state_be_donated_at_once(tmp_path):
    spoil = jax.jit(lambda state: jax.tree.map(lambda leaf: leaf * 0 - 1, state), donate_argnums=0)
    with open_checkpoints(tmp_path) as checkpoints:
        state = tree(3.0, width=300_000)
        save(checkpoints, 1, state, None)
        for _ in range(5):
            state = spoil(state)
        jax.block_until_ready(state)
    restored = restore_latest(tmp_path, abstract(state)).state
    np.testing.assert_array_equal(restored["params"]["w"], 3.0)


def test_save_keeps_the_last_two_and_the_best(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        for step, nats in enumerate([5.0, 3.0, 4.0, None, 4.5, None], 1):
            save(checkpoints, step, tree(float(step)), nats)
        checkpoints.wait_until_finished()
        assert list(checkpoints.all_steps()) == [2, 5, 6]
    best, latest = restore_best(tmp_path, ABSTRACT), restore_latest(tmp_path, ABSTRACT)
    assert (best.step, best.loss, int(best.state["step"])) == (2, 3.0, 2)
    assert (latest.step, int(latest.state["step"])) == (6, 6)


@pytest.mark.parametrize("other", [tree(0.0, width=7), {**tree(0.0), "more": jnp.zeros(2)}, {"params": tree(0.0)["params"]}])
def test_restore_names_a_checkpoint_of_something_else_in_one_line(tmp_path, other):
    with open_checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, tree(1.0), 1.0)
    for restore in (restore_latest, restore_best):
        with pytest.raises(ValueError, match=r"checkpoint 1 in .* does not match the model: .* there, .* here; ") as error:
            restore(tmp_path, abstract(other))
        assert "\n" not in str(error.value)


def test_restore_latest_sets_a_damaged_checkpoint_aside_for_the_one_before(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            save(checkpoints, step, tree(float(step)), 1.0)
    for kept in ("damaged.2", "damaged.2-2"):
        break_step(tmp_path, 2)
        before = contents(tmp_path / "2")
        restored = restore_latest(tmp_path, ABSTRACT)
        assert (restored.step, int(restored.state["step"]), restored.damaged) == (1, 1, (2,))
        assert contents(tmp_path / kept) == before
        with open_checkpoints(tmp_path) as checkpoints:
            save(checkpoints, 2, tree(2.0), 1.0)
        assert restore_latest(tmp_path, ABSTRACT).step == 2


def test_restore_best_passes_a_damaged_checkpoint_over_and_leaves_it_alone(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        for step, nats in ((1, 1.0), (2, 3.0), (3, 2.0)):
            save(checkpoints, step, tree(float(step)), nats)
    break_step(tmp_path, 1)
    before = contents(tmp_path)
    best = restore_best(tmp_path, ABSTRACT)
    assert (best.step, best.loss, best.damaged, int(best.state["step"])) == (3, 2.0, (1,), 3)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("restore", [restore_latest, restore_best])
def test_restore_says_in_one_line_that_no_checkpoint_can_be_read_and_touches_nothing(tmp_path, restore):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            save(checkpoints, step, tree(float(step)), 1.0)
    break_step(tmp_path, 1)
    (tmp_path / "2" / "default" / "_METADATA").unlink()
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"none of the checkpoints \[1, 2\] in .* can be read") as error:
        restore(tmp_path, ABSTRACT)
    assert "\n" not in str(error.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "note", ["{", "[]", "{}", '{"loss": "low", "checksums": {}, "updates": []}', '{"loss": 1.0, "checksums": {}, "updates": [3]}']
)
def test_restore_latest_sets_a_checkpoint_with_a_damaged_note_aside(tmp_path, note):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            save(checkpoints, step, tree(float(step)), 1.0)
    (tmp_path / "2" / "metrics" / "metrics").write_text(note)
    assert restore_best(tmp_path, ABSTRACT).damaged == ()
    latest = restore_latest(tmp_path, ABSTRACT)
    assert (latest.step, latest.damaged) == (1, (2,))
    (tmp_path / "1" / "metrics" / "metrics").write_text(note)
    with open_checkpoints(tmp_path) as checkpoints:
        assert list(checkpoints.all_steps()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"damaged.1", "damaged.2"}


def flipped(content, place, bit):
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_restore_latest_never_restores_flipped_or_missing_bytes_as_something_else(tmp_path):
    rng = np.random.default_rng(0)
    whole = tmp_path / "whole"
    with open_checkpoints(whole) as checkpoints:
        for step in (1, 2):
            save(checkpoints, step, tree(float(step)), 1.0)
    passed_over = 0
    for name in files_of(whole / "2"):
        content = (whole / "2" / name).read_bytes()
        flips = [flipped(content, place, bit) for place, bit in rng.integers((len(content), 8), size=(6, 2)).tolist()]
        for damage in (*flips, content[: len(content) // 2], b"", None):
            folder = tmp_path / "damaged"
            shutil.copytree(whole, folder)
            (folder / "2" / name).unlink() if damage is None else (folder / "2" / name).write_bytes(damage)
            restored = restore_latest(folder, ABSTRACT)
            # Some bytes say nothing of the state, as the time of writing: what came back must be one that was saved.
            assert (restored.step, restored.damaged) in ((2, ()), (1, (2,)))
            jax.tree.map(np.testing.assert_array_equal, restored.state, tree(float(restored.step)))
            passed_over += restored.step == 1
            shutil.rmtree(folder)
    assert passed_over > 10


def test_restore_latest_passes_over_a_state_with_other_checksums_than_were_saved(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            save(checkpoints, step, tree(float(step)), 1.0)
    note = tmp_path / "2" / "metrics" / "metrics"
    content = json.loads(note.read_text())
    content["checksums"]["params"] = checksums({"params": tree(1.0)["params"]})["params"]
    note.write_text(json.dumps(content))
    assert restore_latest(tmp_path, ABSTRACT).damaged == (2,)


def test_restore_best_reads_a_part_without_the_rest(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, tree(1.0), 1.0)
    wanted = {**jax.tree.map(lambda _: ..., ABSTRACT), "params": ABSTRACT["params"]}
    state = restore_best(tmp_path, wanted).state
    assert state["step"] is ...
    jax.tree.map(np.testing.assert_array_equal, state["params"], tree(1.0)["params"])


def test_restore_best_does_not_disturb_who_writes(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, tree(1.0), 1.0)
    # What a writer that is at work has in the folder.
    shutil.copytree(tmp_path / "1", tmp_path / "2.orbax-checkpoint-tmp-1")
    before = contents(tmp_path)
    assert restore_best(tmp_path, ABSTRACT).step == 1
    with pytest.raises(ValueError, match="holds no checkpoint"):
        restore_best(tmp_path / "none", ABSTRACT)
    assert contents(tmp_path) == before


def test_open_checkpoints_does_not_count_one_that_was_not_finished(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            save(checkpoints, step, tree(float(step)), 1.0)
    # What a killed writer leaves: the directory under its temporary name.
    (tmp_path / "2").rename(tmp_path / "2.orbax-checkpoint-tmp-1")
    for name in ("²", "mine"):  # and folders of somebody else, one named by a digit that int() does not take
        (tmp_path / name).mkdir()
    with open_checkpoints(tmp_path) as checkpoints:
        assert list(checkpoints.all_steps()) == [1]
    assert restore_latest(tmp_path, ABSTRACT).step == 1


def test_save_carries_updates_that_no_record_told_of(tmp_path):
    updates = [{"loss": 0.1}, {"loss": 1e-17}]
    with open_checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, tree(1.0), 1.0)
        save(checkpoints, 2, tree(2.0), None, updates)
    assert restore_latest(tmp_path, ABSTRACT).updates == tuple(updates)
    assert restore_best(tmp_path, ABSTRACT).updates == ()


# Sums


def parts():
    rng = np.random.default_rng(0)
    return {
        "params": {"w": jnp.asarray(rng.normal(size=(16, 24)), jnp.float32), "b": jnp.zeros(24)},
        "half": jnp.asarray(rng.normal(size=(8, 3)), jnp.bfloat16),
        "step": jnp.int32(7),
        "used": jnp.asarray([True, False]),
        "state": (),
    }


def test_checksums_are_of_every_part_that_is_not_empty_and_was_read():
    sums = checksums(parts())
    assert set(sums) == {"params", "half", "step", "used"}
    assert all(len(value) == 16 and set(value) <= set("0123456789abcdef") for value in sums.values())
    assert set(checksums({"params": {"w": ...}, "step": jnp.int32(1)})) == {"step"}


def test_checksums_change_with_any_bit():
    before, rng = checksums(parts()), np.random.default_rng(1)
    for name, bits in (("params", np.uint32), ("half", np.uint16), ("step", np.uint32), ("used", np.uint8)):
        for _ in range(20):
            changed = parts()
            part = changed[name]["w"] if name == "params" else changed[name]
            raw = np.array(part).reshape(-1).view(bits)
            raw[rng.integers(raw.size)] ^= bits(1 << int(rng.integers(8 * raw.itemsize if name != "used" else 1)))
            part = jnp.asarray(raw.view(part.dtype).reshape(part.shape))
            changed[name] = changed[name] | {"w": part} if name == "params" else part
            after = checksums(changed)
            assert {key for key in after if after[key] != before[key]} == {name}


def test_checksums_change_where_elements_or_arrays_change_places():
    a, b = jnp.arange(6.0).reshape(2, 3), jnp.arange(6.0, 12.0).reshape(2, 3)
    sums = [checksums({"p": p})["p"] for p in ([a, b], [b, a], [a[::-1], b], [a[:, ::-1], b])]
    assert len(set(sums)) == 4


@pytest.mark.parametrize("spec", [PartitionSpec("data", "fsdp"), PartitionSpec(None, "fsdp"), PartitionSpec()])
def test_checksums_do_not_depend_on_the_mesh(spec):
    whole, mesh = parts()["params"], Mesh(data=2, fsdp=4).build()
    spread = whole | {"w": jax.device_put(whole["w"], NamedSharding(mesh, spec))}
    assert checksums({"params": spread}) == checksums({"params": whole})


def test_checksums_compile_nothing(caplog):
    state = {"a": jnp.ones((7, 13, 3)), "b": jnp.int32(3)}
    with jax.log_compiles(), caplog.at_level("WARNING"):
        checksums(state)
    assert "ompil" not in caplog.text


@pytest.mark.parametrize(
    "error", [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")], ids=["host", "device"]
)
def test_restore_does_not_take_a_lack_of_memory_for_damage(tmp_path, monkeypatch, error):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            save(checkpoints, step, tree(float(step)), 1.0)
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("orbax.checkpoint.PyTreeCheckpointHandler.restore", lambda *_, **__: raise_it(error))
        with pytest.raises(type(error)):
            restore_latest(tmp_path, ABSTRACT)
    assert sorted(tmp_path.iterdir()) == before
    assert restore_latest(tmp_path, ABSTRACT).step == 2


def raise_it(error):
    raise error


def test_save_raises_what_cannot_be_written_and_logs_no_traceback(tmp_path, caplog):
    limits, levels = resource.getrlimit(resource.RLIMIT_FSIZE), [logging.getLogger(name).level for name in ("absl", "asyncio")]
    noise = {"noise": jax.random.normal(jax.random.key(0), (2**15,))}
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, limits[1]))
        with pytest.raises(OSError, match="a checkpoint cannot be written"), open_checkpoints(tmp_path) as checkpoints:
            save(checkpoints, 1, noise, 1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert [logging.getLogger(name).level for name in ("absl", "asyncio")] == levels
