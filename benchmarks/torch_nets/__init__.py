"""The networks of arjax's families in PyTorch, a file each, which benchmarks/against_torch_training.py times beside ours.

A file has ROWS: (name, arjax.Model, examples of a step) of each shape; `Net(model, params)`: a torch.nn.Module with the weights
of arjax's params; and `loss(theta, x)`: -log p(x) in nats, the mean over the batch.
"""
