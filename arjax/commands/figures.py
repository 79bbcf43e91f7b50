"""`python -m arjax figures WHAT`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import jax
import numpy as np
import tyro

from arjax.commands import flags
from arjax.data.batches import gather
from arjax.errors import InputError, say
from arjax.files import free_stem, write_all
from arjax.measure import figures
from arjax.runs.load import open_run
from arjax.training.conditions import check_fits, cond_of


@dataclasses.dataclass(frozen=True)
class Figures:
    """Draw what explains the library: generation orders as numbered grids, the masks of convolutions, what the theta of a pixel
    depends on, measured by the Jacobian of real networks, or the same for attention in several orders and under several masks;
    with --run, at an example of a trained net's data, what theta depends on at one pixel (receptive-field) or at every site
    (dependence), or how a transformer spreads its attention."""

    what: Annotated[Literal["orders", "masks", "receptive-field", "dependence", "attention"], tyro.conf.Positional]
    """What to draw."""
    png: Path | None = None
    """The picture; by default WHAT.png, for a run RUN/samples/WHAT.png, with -2, -3, ... added if that exists."""
    overwrite: flags.Overwrite = False
    height: int = 8
    """Rows of sites, without --run."""
    width: int = 8
    """Columns of sites, without --run."""
    run: str | None = None
    """The directory that train.py wrote, of any net; for attention, of one that attends."""
    example: int = 0
    """Of a run: which of its test examples to look at."""
    site: tuple[int, ...] | None = None
    """Of a run over images: the site to be generated, as row and column; by default in the centre."""
    raw: flags.Raw = False
    root: flags.Root = None
    modules: flags.Modules = ()

    def __call__(self) -> None:
        flags.require_positive(height=self.height, width=self.width)
        if self.height * self.width > figures.MOST_SITES:
            raise InputError(
                f"--height {self.height} --width {self.width} make more than {figures.MOST_SITES} sites; choose fewer"
            )
        flags.require_suffix(".png", png=self.png)
        read = [] if self.run is None else flags.data_files(self.run, self.root, self.modules)
        flags.require_outputs(self.overwrite, *read, png=self.png)
        if self.run is not None:
            if self.what not in ("receptive-field", "dependence", "attention"):
                raise InputError(f"--run {self.run}: {self.what} are not drawn of a run; leave it out, or draw another figure")
            self._write(Path(self.run) / "samples" / self.what, *self._of_run())
            return
        if self.what == "dependence":
            raise InputError("dependence is that of a trained net; give --run RUN, or draw receptive-field")
        draw = {
            "orders": figures.draw_orders,
            "masks": figures.draw_masks,
            "receptive-field": figures.draw_receptive_fields,
            "attention": figures.draw_attention,
        }[self.what]
        self._write(Path(self.what), *draw(self.height, self.width))

    def _write(self, stem: Path, picture: bytes, drawn: str) -> None:
        """Writes the picture to --png, or else to STEM.png, and says what was drawn."""
        stem = stem if self.overwrite else free_stem(stem, [".png"])
        path = self.png or stem.with_name(f"{stem.name}.png")
        write_all({path: picture}, overwrite=self.overwrite)
        say(f"{drawn} in {path}")

    def _of_run(self) -> tuple[bytes, str]:
        experiment, params, _ = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        model, data = flags.require_model(self.run, experiment), experiment.data
        if self.what == "attention" and model.capabilities.attention is None:
            raise InputError(
                f"{self.run} is a {type(model.net).__name__}, which has no method `attention`; choose a run of a net with one, "
                "as Transformer, or draw receptive-field"
            )
        splits = data.load()
        check_fits(data.title, model, splits)
        if not 0 <= self.example < len(splits.test.x):
            raise InputError(
                f"--example {self.example} is not in 0..{len(splits.test.x) - 1}, the test split; choose one that is"
            )
        batch = gather(splits.test, np.array([self.example]))
        x = np.asarray(data.values(jax.random.key(0), batch["x"]))
        if self.what == "attention":
            text = "".join(data.medium.exhibit(x).texts)
            picture, drawn = figures.draw_attention_weights(model, params, x, cond_of(model, batch), self.site, text)
        else:
            whole = self.what == "dependence"
            picture, drawn = figures.draw_influences(model, params, x, cond_of(model, batch), self.site, whole)
        return picture, f"{self.what} at test example {self.example}, {drawn},"
