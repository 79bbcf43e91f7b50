"""`python -m arjax figures WHAT`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from arjax import figures
from arjax.commands.flags import require_positive, require_suffix


@dataclasses.dataclass(frozen=True)
class Figures:
    """Draw what explains the library: generation orders as numbered grids, the masks of convolutions, or what the theta of a
    pixel depends on, measured by the Jacobian of real networks."""

    what: Annotated[Literal["orders", "masks", "receptive-field"], tyro.conf.Positional]
    out: Path | None = None
    """Where to write the picture; by default WHAT.png."""
    height: int = 8
    width: int = 8

    def __call__(self, flags: list[str]) -> None:
        require_positive(height=self.height, width=self.width)
        require_suffix(".png", out=self.out)
        draw = {
            "orders": figures.draw_orders,
            "masks": figures.draw_masks,
            "receptive-field": figures.draw_receptive_fields,
        }[self.what]
        path = self.out or Path(f"{self.what}.png")
        print(f"{draw(path, self.height, self.width)} in {path}")
