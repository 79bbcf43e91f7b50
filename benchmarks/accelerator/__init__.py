"""What arjax does on an accelerator, in ten minutes: `make gpu`, or python -m benchmarks.accelerator --help."""
