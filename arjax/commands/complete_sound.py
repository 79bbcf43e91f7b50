"""Sound continued: the first seconds of a recording are kept, and what follows is drawn."""

import jax
import numpy as np

from arjax import pictures
from arjax.commands.completions import chosen, cost, draw, own_cond, spread
from arjax.data.splits import heard
from arjax.data.waveforms import read_wav, write_wav
from arjax.errors import InputError
from arjax.runs.report import write_sounds
from arjax.training.conditions import check_fits


def complete_sound(flags, model, params, data) -> None:
    """Write the recordings, their continuations and a picture of these where `flags`, a Complete, say, and print what the truth
    costs. InputError where they do not fit."""
    kept = _kept(flags.seconds, model, data)
    if flags.audio:
        x, counted, kept = _own(flags, model, data, kept)
        cond = own_cond(model, flags.run, "--audio", flags.label)
    else:
        splits = data.load()
        check_fits(data.title, model, splits)
        kept = kept or model.num_sites // 2
        # Windows that begin where a recording does, and go on behind what is kept.
        places = np.flatnonzero(splits.test.counted[:, 0] & splits.test.counted[:, kept])
        if not len(places):
            raise InputError(f"no test recording is longer than {kept / data.sample_rate:g} seconds; keep fewer --seconds")
        x, cond, batch = chosen(model, data, splits.test, places[spread(flags.examples, 2, len(places))], flags.seed)
        counted = batch["counted"]
    mask = np.arange(model.num_sites) < kept
    # Of a recording that is longer than what is kept, what follows is known.
    told = cost(model, params, data, x, mask, cond, None, counted) if counted[:, kept:].any() else None
    drawn = draw(model, params, flags.key, x, mask, flags.completions or 3, cond, None)
    stem, waveforms = flags.stem(), []
    for i, (row, continued, known) in enumerate(zip(x, drawn, counted, strict=True)):
        true, completions = heard(data, row[None]), heard(data, continued)
        # What is behind a recording's end is silence in the picture, and in no file.
        silent = np.where(known, true.waveforms, 0)
        write_wav(stem.with_name(f"{stem.name}_{i}_true.wav"), true.waveforms[0, known], data.sample_rate)
        write_sounds(stem.with_name(f"{stem.name}_{i}"), completions)
        waveforms += [silent, completions.waveforms]
    png = flags.png or stem.with_suffix(".png")
    title = f"{flags.run}: the recording, and continuations behind {kept / data.sample_rate:g} s"
    picture = pictures.sound_picture(np.concatenate(waveforms), data.sample_rate, title, kept / data.sample_rate)
    pictures.save_png(png, picture)
    completions = drawn.shape[1]
    print(
        f"{flags.audio or f'{len(x)} recordings'}: {kept / data.sample_rate:g} s kept, {completions} continuations of each in "
        f"{stem}_0_0.wav to {stem.name}_{len(x) - 1}_{completions - 1}.wav, the first 8 drawn in {png}"
    )
    if told is not None:
        print(told)


def _kept(seconds: float | None, model, data) -> int | None:
    """How many samples are kept, None where --seconds does not say. InputError unless they leave something to draw."""
    if seconds is None:
        return None
    most = (model.num_sites - 1) / data.sample_rate
    if not 1 / data.sample_rate <= seconds <= most:
        raise InputError(
            f"--seconds {seconds:g} is not in {1 / data.sample_rate:g}..{most:g}, one sample to all but one of what the model "
            "generates; choose a number that is"
        )
    return round(seconds * data.sample_rate)


def _own(flags, model, data, kept: int | None) -> tuple[np.ndarray, np.ndarray, int]:
    """(--audio as symbols [1, T], which of them it has [1, T], how many are kept): all, or as many as there are of `kept`."""
    samples = read_wav(flags.audio, data.sample_rate)
    kept = min(len(samples), kept or len(samples))
    if kept >= model.num_sites:
        raise InputError(
            f"--audio {flags.audio} has {len(samples) / data.sample_rate:g} seconds, and the model generates "
            f"{model.num_sites / data.sample_rate:g} with those that are kept; keep fewer, by --seconds"
        )
    raw, counted = np.zeros(model.num_sites, np.int16), np.arange(model.num_sites) < len(samples)
    raw[counted] = samples[: model.num_sites]
    return np.asarray(data.values(jax.random.key(flags.seed), raw[None])), counted[None], kept
