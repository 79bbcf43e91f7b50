"""What is measured of models: time, work, likelihood after equal training, and the ceilings of the machine."""
