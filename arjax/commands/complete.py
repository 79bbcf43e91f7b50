"""`python -m arjax complete RUN`."""

import dataclasses
from pathlib import Path

import jax
import numpy as np

from arjax.commands import completing, filling, flags
from arjax.commands.completing import Hidden
from arjax.errors import InputError, say, show
from arjax.runs.load import open_run
from arjax.training.conditions import captions_of


@dataclasses.dataclass(frozen=True)
class Complete:
    """Hide a part of test examples, or of an example of your own, draw it anew, several times, from what is left, and say what
    the truth costs: -log p(hidden | visible). Of images a picture with a row for each: the image, what is left of it, its
    completions; of text and of the rows of a table these; of sound .wav files of the first seconds, continued, and a picture of
    them."""

    run: flags.Run
    mask: str | None = None
    """What is hidden of images: lower (the default), upper, left or right half, centre (half as high and wide), random (half of
    the pixels), or a picture in which what is to be hidden is white (transparent is black), or an .npy of booleans, of the
    images' size, or of tokens with a pixel for each. Of test examples of text: left, right (the default), centre or random."""
    hide: tuple[str, ...] = ()
    """Names of the columns of a table to hide."""
    table: Path | None = None
    """A table whose missing values are drawn, instead of test rows: .csv, .tsv, .csv.gz or .parquet, with the columns of the
    run. Other columns stay as they are."""
    image: Path | None = None
    """A picture to complete instead of test images, of the model's size, turned as its orientation says and, where it is
    transparent, on white; or an .npy of raw values. Black and white become the smallest and largest value of the training
    split."""
    text: str | None = None
    """Text to complete instead of test examples, every character to be drawn marked by --blank. A shorter one than the model's
    windows stands for the start of a window."""
    blank: str = "_"
    """The character that marks what is hidden of a text."""
    truth: str | None = None
    """What --text really is, to say what that costs."""
    audio: Path | None = None
    """A file of sound to continue instead of test recordings; it is resampled to their rate."""
    seconds: float | None = None
    """How much of a recording is kept, and continued; by default half of what the model generates, or of --audio all of it."""
    label: str | None = None
    """Name or number of the class of --image, --text or --audio, if the model has classes."""
    examples: int | None = None
    """Test examples to complete, evenly spaced in their split; by default 10 images, 3 texts or 2 recordings."""
    completions: int | None = None
    """Completions of each; by default 8 of images, 3 of text and sound."""
    seed: flags.Seed = 0
    raw: flags.Raw = False
    step: flags.Step = None
    png: Path | None = None
    """The picture; by default RUN/samples/complete_MASK_SEED.png, for sound RUN/samples/complete_SEED.png, with -2, -3, ... added
    if that exists. Texts and sounds are named likewise."""
    overwrite: flags.Overwrite = False
    root: flags.Root = None
    modules: flags.Modules = ()

    def __call__(self) -> None:
        self._check_flags()
        experiment, params, _ = open_run(self.run, raw=self.raw, step=self.step, root=self.root, modules=self.modules)
        model, data = flags.require_model(self.run, experiment), experiment.data
        self._check_medium(data.medium)
        if self.table is not None:
            self._fill(model, params, data)
            return
        examples, completions = data.medium.at_once
        completions = self.completions or completions

        # What is hidden of which examples, and in words.
        name, said, shape = None, "blanks hidden", completing.grid(model)
        if "seconds" in data.medium.flags:
            kept = completing.samples_kept(model, data.medium.sample_rate, self.seconds, self.audio)
            hidden, said = np.arange(model.num_sites) >= kept, f"{kept / data.medium.sample_rate:g} s kept"
        elif self.hide:
            hidden, name, said = data.medium.places(self.hide), "_".join(self.hide)[:60], f"{', '.join(self.hide)} hidden"
        elif self.text is None:
            name = self.mask or ("lower" if shape[0] > 1 else "right")
            hidden, said = completing.over_sites(model, completing.read_mask(name, *shape, self.seed)), f"{name} hidden"
        if self._own is None:
            case = completing.of_test_split(experiment, hidden, self.examples, examples, self.seed)
        else:
            cond = completing.own_cond(model, data, self.run, f"--{self._own}", self.label)
            case = self._of_own(experiment, hidden if self.text is None else None, cond)

        order = completing.order_for(model, case)
        cost = completing.cost(model, params, data.medium.unit, case, order) if case.true else None
        drawn = completing.draw(model, params, jax.random.key(self.seed), case, completions, order)

        title = f"{self.run}: {data.medium.noun} as they are, and completed; {said}"
        exhibit = data.medium.completed(
            case.x, case.hidden, drawn, case.inside, title=title, captions=captions_of(data, case.cond), blank=self.blank
        )
        if exhibit.texts:
            show(exhibit.text)
        what = f"{len(case.x)} {data.medium.noun}" if self._own is None else str(self.image or self.audio or "the text")
        # A tokenizer looks at more pixels than its token is drawn at.
        look = "; tokens beside the hidden ones were made with a look at what they hide"
        seen = look if exhibit.picture is not None and data.medium.unit == "token" else ""
        where = exhibit.save(self._stem(name), self.png, overwrite=self.overwrite)
        say(f"{what}, {said}, and {completions} completions of each in {where}{seen}")
        if cost is not None:
            say(cost)

    def _fill(self, model, params, data) -> None:
        completions = self.completions or 1
        filled = filling.fill(model, params, jax.random.key(self.seed), data, self.table, completions)
        stem = Path(self.run) / "samples" / f"filled_{self.table.name.partition('.')[0]}_{self.seed}"
        where = filled.exhibit.save(stem, overwrite=self.overwrite)
        say(f"{filled.gaps} missing values of {filled.rows} rows, each filled in {completions} times, in {where}")

    @property
    def _own(self) -> str | None:
        """The flag that gives an example of the user's own."""
        return next((name for name in ("image", "text", "audio") if getattr(self, name) is not None), None)

    def _check_flags(self) -> None:
        flags.require_positive(examples=self.examples, completions=self.completions)
        flags.require_seed(self.seed)
        flags.require_suffix(".png", png=self.png)
        read = flags.data_files(self.run, self.root, self.modules)
        flags.require_outputs(self.overwrite, self.image, self.table, self.mask, *read, png=self.png)
        if self.label is not None and self._own is None:
            raise InputError("--label belongs to --image, --text or --audio, test examples have their own; leave it out")
        if self._own is not None and self.examples is not None:
            raise InputError(f"--examples {self.examples}: --{self._own} is the one to complete; leave it out")
        if len(self.blank) != 1:
            raise InputError(f"--blank {self.blank!r} is {len(self.blank)} characters; choose one")

    def _check_medium(self, medium) -> None:
        """InputError for a flag that is of another medium than the run's."""
        for name in ("mask", "hide", "table", "image", "text", "truth", "audio", "seconds", "png"):
            if getattr(self, name) not in (None, ()) and name not in medium.flags:
                raise InputError(f"--{name}: {self.run} models {medium.noun}; leave it out")
        if self.hide and (self.mask, self.table) != (None, None):
            raise InputError("--hide, --mask and --table each choose what is hidden; give one of them")
        if self.table is not None and (self.mask, self.examples) != (None, None):
            raise InputError("--table gives the rows and the hidden cells; leave out --mask and --examples")
        if self.text is None and self.truth is not None:
            raise InputError("--truth belongs to --text; give one, or leave it out")
        if self.text is not None and self.mask is not None:
            raise InputError(f"--mask {self.mask}: --text marks what is hidden by {self.blank!r}; leave it out")

    def _of_own(self, experiment, hidden, cond) -> Hidden:
        if self.text is not None:
            return completing.of_text(experiment, self.text, self.truth, self.blank, cond)
        if self.audio is not None:
            return completing.of_recording(experiment, self.audio, hidden, cond, self.seed)
        return completing.of_image(experiment, self.run, self.root, self.modules, self.image, hidden, cond, self.seed)

    def _stem(self, mask: str | None) -> Path:
        """RUN/samples/complete_WHAT_SEED, without a suffix."""
        what = [self.image.stem] if self.image else ["text"] if self.text is not None else []
        what += [mask if mask in completing.MASKS else Path(mask).stem] if mask is not None else []
        return Path(self.run) / "samples" / "_".join(["complete", *what, str(self.seed)])
