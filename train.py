"""Train a model and leave behind a directory that describes itself:

    python train.py configs/digits_made.py
    python train.py configs/mnist_made.py --model.net.hidden 500 500 --optimizer.learning-rate 1e-3 --run runs/wide

A config (a file in configs/) builds the experiment; flags edit its fields; `python train.py CONFIG --help` lists them. The same
command again continues a run that was interrupted, exactly. On several hosts each runs the same command (docs/clusters.md).
Exit status: 0 finished; 1 the numbers did not stay finite; 2 the command or the data is wrong; 130 or 143 interrupted and saved.
"""

import functools
import shlex
import sys

import jax

from arjax.data import training_batches
from arjax.errors import one_line_errors, written_to
from arjax.pictures import loss_curve
from arjax.runs.checkpoints import finish, open_checkpoints, restore_best, restore_latest, save
from arjax.runs.config import parse
from arjax.runs.directory import check_run, write_run
from arjax.runs.hosts import Interruption, own_directory
from arjax.runs.journal import Journal
from arjax.runs.load import learn
from arjax.runs.lock import alone_in
from arjax.runs.metrics import read_metrics
from arjax.runs.report import closing_table, show
from arjax.training.experiment import over_tokens, run_keys
from arjax.training.mesh import check_batch, local_rows, over_state, place_batch, place_padded, title
from arjax.training.state import abstract_state, compile_step, draw_state, memory, only, train_step


def main(argv: list[str], program: str = "python train.py") -> int:
    # What was asked for, and whether it was done before.
    experiment, run = parse(argv)
    check_run(run, experiment)
    task = experiment.task
    records = read_metrics(run / "metrics.jsonl", task.measure)
    if records and records[-1]["split"] == "test":
        closing_table(over_tokens(experiment, learn(experiment, run)), run, records)
        print(f"{run} is finished; choose another directory with --run to train again")
        return 0

    # The parts, and whether they fit together. Nothing is written before all of them do.
    learned = learn(experiment, run)
    described, experiment = experiment, over_tokens(experiment, learned)
    splits = experiment.data.load()
    task.check_data(experiment, splits)
    mesh = experiment.mesh.build()
    check_batch("batch_size", experiment.batch_size, experiment.accumulate, mesh)
    batches = training_batches(splits.train, experiment.batch_size, experiment.seed, local_rows(experiment.batch_size, mesh))
    keys = run_keys(experiment)
    abstract = over_state(abstract_state(experiment), mesh, experiment.model)
    jax.eval_shape(functools.partial(train_step, experiment), abstract, batches[0], keys.train)
    # What identifies the data is what lies in their files: tokens may differ in the last place from device to device.
    raw = splits if learned is None else described.data.load()
    place = functools.partial(place_batch, mesh=mesh)
    scoring = {
        "batch_size": experiment.eval_batch_size,
        "key": keys.evaluate,
        "place": functools.partial(place_padded, mesh=mesh),
    }
    num_params = sum(leaf.size for leaf in jax.tree.leaves(abstract.params))

    with written_to(run), alone_in(run), own_directory(run) as folder, jax.set_mesh(mesh):
        write_run(run, described, raw, learned)
        print(f"{experiment.data.title}; {num_params:,} parameters; {title(mesh)}; {run}", flush=True)

        # From the last good checkpoint, or from the beginning.
        restored = restore_latest(run / "checkpoints", abstract)
        first = 0 if restored is None else restored.step
        example = place(batches[first])
        update = compile_step(experiment, abstract, example, keys.train, mesh)
        print(f"memory of a step, as it was compiled: {memory(update)}", flush=True)
        state = draw_state(experiment, abstract, keys.init) if restored is None else restored.state

        with (
            open_checkpoints(run / "checkpoints") as checkpoints,
            Journal(folder, experiment, first, () if restored is None else restored.updates) as journal,
            Interruption(mesh) as stop,
        ):
            if restored is not None:
                journal.note(
                    f"continuing from step {first}"
                    + "".join(f"; checkpoint {s} is damaged and set aside" for s in restored.damaged)
                )

            for step in range(first + 1, experiment.steps + 1):
                state, metrics, asked = update(state, place(batches[step - 1]), keys.train, stop.asked())
                journal.train(step, metrics)
                signal = stop.agreed(asked)
                due = step % experiment.eval_every == 0 or step == experiment.steps
                if not (due or signal):
                    continue
                # Nothing is saved before its own loss was seen to be finite.
                journal.settle()
                loss = None
                if due:
                    journal.summarise()
                    valid = task.validate(experiment, state.ema, state.state, splits.valid, **scoring)
                    loss = valid.loss
                    journal.valid(step, valid)
                    if experiment.samples:
                        show(task, experiment, state.ema, state.state, splits, keys.sample, step, journal)
                save(checkpoints, step, state, loss, journal.updates)
                if signal:
                    again = f"{program} {shlex.join(argv)}"
                    journal.note(f"interrupted and saved at step {step}; to continue: {again}")
                    return 128 + signal

            loss_curve(folder / "loss.png", journal.records, experiment.data.title, task.measure)

            # The result: the test split under the parameters that validation chose.
            finish(checkpoints)
            best = restore_best(run / "checkpoints", only(abstract, "ema", "state"))
            for damaged in best.damaged:
                journal.note(
                    f"checkpoint {damaged} was better on validation but is damaged; the result is that of step {best.step}"
                )
            test = task.test(experiment, best.state.ema, best.state.state, splits, "test", **scoring)
            journal.test(best.step, test, {f"valid_{task.measure}": best.loss, "parameters": num_params})
        closing_table(experiment, run, journal.records)
    return 0


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main(sys.argv[1:]))
