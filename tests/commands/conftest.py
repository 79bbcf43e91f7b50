"""The runs that all these tests share."""

from shared_runs import runs

__all__ = ["runs"]
