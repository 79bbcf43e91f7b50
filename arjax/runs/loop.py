"""The loop of training: from a config's experiment to a directory that describes itself. train.py and `arjax.fit` call it."""

from pathlib import Path

import jax

from arjax.errors import any_encoding, say
from arjax.runs import checkpoints, directory, hosts, load, log, loggers, longer, report, start
from arjax.runs.metrics import read_metrics
from arjax.training.doubts import doubts_of_data
from arjax.training.experiment import Experiment, over_tokens, run_keys, scoring, training_batches_on
from arjax.training.mesh import doubts_of_mesh, place_batch, title
from arjax.training.state import abstract_state, compile_step, memory, only, trace_step


@any_encoding()
def train(described: Experiment, run: Path, again: str, kept: bool = True) -> int:
    """Fits an experiment in the directory `run`, or goes on with what that holds, exactly.

    again: what continues the run, for whoever interrupts it. kept: is the directory there afterwards?

    Returns 0, or 128 and the number of the signal that interrupted the run, which is saved then. InputError where the parts do
    not fit together or `run` is of another experiment, before anything is written; FloatingPointError where numbers do not stay
    finite.
    """
    # Whether it was done before, and whether there is more to do now.
    before = directory.check_run(run, described)
    begin = None if before is None else longer.begin_of_longer(run, before, described)
    records = read_metrics(run / "metrics.jsonl", described.task.measure)
    if begin is None and longer.is_finished(described, records):
        report.closing_table(over_tokens(described, load.learn(described, run)), run, records)
        more = "--patience" if "stopped" in records[-1] else "--steps"
        say(f"{run} is finished; choose another directory with --run to train again, or more {more} to go on")
        return 0

    # The parts, and whether they fit together. Nothing is written before all of them do.
    experiment, splits, raw, learned = load.prepare(described, run)
    task, keys, mesh = experiment.task, run_keys(experiment), experiment.mesh.build()
    batches, options = training_batches_on(mesh, experiment, splits.train), scoring(experiment, mesh)
    abstract = abstract_state(experiment, mesh)
    trace_step(experiment, abstract, batches[0], keys.train)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(abstract.params))
    given = start.taken(described, abstract, run, learned)
    loggers.check(experiment.log)
    doubtful = doubts_of_data(experiment, splits, keys.train)
    stable = longer.stable(experiment, experiment.steps)

    with directory.alone_in(run), hosts.own_directory(run) as folder, jax.set_mesh(mesh):
        directory.write_run(run, described, raw, learned, given.digest)
        if begin is not None:
            say(f"{run} was begun for {before} steps, and goes on from step {begin} to {experiment.steps}")
        say(f"{experiment.data.title}; {parameters:,} parameters; {title(mesh)}; {run}")
        for line in (*doubts_of_mesh(mesh, experiment.model), *doubtful):
            say(f"note: {line}")

        # From the last good checkpoint, or from the beginning.
        saved = checkpoints.restore_latest(run / "checkpoints", abstract)
        state = start.begin(experiment, abstract, keys.init, given, run) if saved.state is None else saved.state
        del given  # the host's copy of the parameters

        with (
            checkpoints.open_checkpoints(run / "checkpoints", experiment.keep_every, (stable,)) as writer,
            log.Log(folder, experiment, saved.step, saved.updates, doubtful, described) as run_log,
            hosts.Interruption(mesh) as stop,
        ):
            run_log.begin(saved)
            run_log.now("compiling (first start only)")
            update = compile_step(experiment, abstract, place_batch(batches[saved.step], mesh), keys.train, mesh)
            run_log.note(f"memory of a step, as it was compiled: {memory(update)}")
            run_log.now("training")
            step, losses = saved.step, longer.losses(records, saved.step, task.measure)
            while step < experiment.steps and not longer.is_over(experiment.patience, losses):
                step += 1
                state, metrics, asked = update(state, place_batch(batches[step - 1], mesh), keys.train, stop.asked())
                run_log.train(step, metrics)
                signal, loss = stop.agreed(asked), None
                due = step % experiment.eval_every == 0 or step in (stable, experiment.steps)
                if not (due or signal or (experiment.keep_every and step % experiment.keep_every == 0)):
                    continue
                # Nothing is saved before its own loss was seen to be finite.
                run_log.settle()
                if due:
                    run_log.summarise()
                    run_log.now("validating")
                    loss = run_log.valid(step, task.validate(experiment, state.ema, state.state, splits.valid, **options))
                    losses.append(loss)
                    run_log.now("sampling")
                    run_log.exhibit(step, report.exhibits(experiment, state, splits, keys.sample, step))
                run_log.now("saving")
                run_log.sync()
                checkpoints.save(writer, step, state, loss, run_log.updates, run_log.written)
                if signal:
                    run_log.interrupted(step, again)
                    return 128 + signal
                run_log.now("training")
            facts = {"parameters": parameters}
            if step < experiment.steps:
                facts["stopped"] = step
                run_log.note(f"stopped at step {step}: the last {experiment.patience} validations found nothing better")
            # The result: the test split under the parameters that validation chose.
            run_log.now("testing")
            checkpoints.finish(writer)
            best = checkpoints.restore_best(run / "checkpoints", only(abstract, "ema", "state"))
            for damaged in best.damaged:
                run_log.note(
                    f"checkpoint {damaged} was better on validation but is damaged; the result is that of step {best.step}"
                )
            test = task.test(experiment, best.state.ema, best.state.state, splits, "test", **options)
            run_log.test(best.step, test, {f"valid_{task.measure}": best.loss} | facts)
        report.closing_table(experiment, run, run_log.records, kept)
    return 0
