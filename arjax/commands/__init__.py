"""The commands of `python -m arjax`: one file, one of them, a dataclass of its flags that is called to run."""
