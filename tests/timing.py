"""Ratios of times that a machine which is busy for a moment does not decide."""

from collections.abc import Callable


def reached(measure: Callable[[], float], good: Callable[[float], bool], attempts: int = 3) -> bool:
    """Is one of so many measurements good? Both sides of a ratio are timed anew in each: what disturbs one side passes."""
    ratios = []
    for _ in range(attempts):
        ratios.append(measure())
        if good(ratios[-1]):
            return True
    print(f"measured {ratios}")
    return False
