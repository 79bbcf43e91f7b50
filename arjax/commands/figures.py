"""`python -m arjax figures NAME`."""

import dataclasses
import difflib
import pkgutil
from pathlib import Path
from typing import Annotated

import tyro

from arjax.commands import flags
from arjax.errors import InputError, say, show
from arjax.files import free_stem, write_all
from arjax.measure.figures import FIGURES, listed


@dataclasses.dataclass(frozen=True)
class Figures:
    """Draw a figure that explains the library; without a name, list the figures. Each figure is drawn from the code that it
    explains: real masks, the Jacobian of real networks, times measured on this machine, or a small net fitted in seconds. With
    --run, some of them show a trained run, at an example of its test split."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """What to draw; by default, the figures are listed."""
    png: Path | None = None
    """The picture; by default NAME.png, for a run RUN/samples/NAME.png, with -2, -3, ... added if that exists."""
    overwrite: flags.Overwrite = False
    height: int | None = None
    """Rows of sites in a figure over a grid, without --run; by default 8."""
    width: int | None = None
    """Columns of sites in a figure over a grid, without --run; by default 8."""
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
        if self.name is None:
            show(listed())
            return
        if self.name not in FIGURES:
            near = difflib.get_close_matches(self.name, FIGURES, n=2)
            meant = f"did you mean {' or '.join(near)}? " if near else ""
            raise InputError(f"there is no figure {self.name!r}; {meant}choose {', '.join(FIGURES)}")
        figure = FIGURES[self.name]
        self._check_size(figure)
        flags.require_suffix(".png", png=self.png)
        if self.run is not None and figure.of_run is None:
            able = ", ".join(name for name, each in FIGURES.items() if each.of_run)
            raise InputError(f"--run {self.run}: {self.name} shows no run; leave it out, or draw one of {able}")
        if self.run is None and figure.found is None:
            raise InputError(f"{self.name} shows a trained net; give --run RUN, or draw receptive-field")
        if self.run is None and self.site is not None:
            raise InputError(f"--site {self.site} is a site of a run; give --run RUN, or leave it out")
        read = [] if self.run is None else flags.data_files(self.run, self.root, self.modules)
        flags.require_outputs(self.overwrite, *read, png=self.png)
        # Matplotlib takes half a second to import, and a mistake should not wait for it.
        from arjax.measure.figures.style import look

        with look():
            drawn = self._drawn(figure)
        stem = Path(self.name) if self.run is None else Path(self.run) / "samples" / self.name
        stem = stem if self.overwrite else free_stem(stem, [".png"])
        path = self.png or stem.with_name(f"{stem.name}.png")
        write_all({path: drawn.png}, overwrite=self.overwrite)
        about = drawn.said if self.run is None else f"{self.name} {drawn.said},"
        say(f"{about} in {path}")

    def _drawn(self, figure):
        if self.run is None:
            draw = pkgutil.resolve_name(f"arjax.measure.figures.{figure.found}")
            return draw(self.height or 8, self.width or 8) if figure.sized else draw()
        from arjax.measure.figures.opened import Opened
        from arjax.runs.load import open_run

        trained = open_run(self.run, raw=self.raw, root=self.root, modules=self.modules)
        draw = pkgutil.resolve_name(f"arjax.measure.figures.{figure.of_run}")
        return draw(Opened(self.run, trained, self.example, self.site))

    def _check_size(self, figure) -> None:
        """Raises InputError for a size where the figure takes none, and for one that is too large."""
        flags.require_positive(height=self.height, width=self.width)
        for name, size in (("height", self.height), ("width", self.width)):
            if size is not None and (self.run is not None or not figure.sized):
                raise InputError(f"--{name} {size}: {self.name} is not drawn over a grid of any size here; leave it out")
        height, width = self.height or 8, self.width or 8
        if height * width > _MOST_SITES:
            raise InputError(f"--height {height} --width {width} make more than {_MOST_SITES} sites; choose fewer")


_MOST_SITES = 4096
