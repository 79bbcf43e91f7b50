"""Wrong configs, and wrong flags of train.py: a row a rule. What a class refuses of its own fields, its own tests try."""

from bad_input import TINY, Bad, config, file, folder_instead

MADE = "arjax.Model(MADE(hidden=(4,)), Bernoulli(), (4, 4))"
NET = "MADE(hidden=(4,)), Bernoulli(), (4, 4)"
# How the config is changed, and what is said of it.
CONFIGS = (
    (("hidden=(4,)", "hidden=(0,)"), "hidden=(0,)"),
    (("hidden=(4,)", "hiden=(4,)"), "TypeError"),
    (("Bernoulli()", "Categorical(3)"), "Levels(count=2) gives symbols 0..1, but Categorical models symbols 0..2"),
    (("Bernoulli()", "MixtureOfGaussians(2)"), "but MixtureOfGaussians models real values"),
    (("(4, 4)", "(4, 0)"), "site_shape=(4, 0) must name at least one axis"),
    ((NET, "RNN(width=4), Bernoulli(), (4, 4), AnyOrder()"), "RNN generates in one order only, not in AnyOrder()"),
    ((NET, "PixelCNN(width=4), Bernoulli(), (4, 4), Spiral()"), "PixelCNN"),
    (("(4, 4)", "(4, 4), Permutation((0, 1, 2))"), "an order of 16 sites must have shape (16,), not (3,)"),
    (("(4, 4)", "(4, 4), cond=arjax.CondSpec(memory=(2, 3))"), "MADE knows classes and members, not CondSpec(memory=(2, 3))"),
    ((NET, "RNN(width=4), Bernoulli(), (4, 4), cond=arjax.CondSpec(local=3)"), "has no local features, but the model takes"),
    (("(4, 4)", "(4, 4), cond=arjax.CondSpec(classes=2)"), "has labels up to 2, but the model has classes 0..1"),
    ((MADE, "None"), "Likelihood fits an arjax.Model, not NoneType"),
    (("mesh=Mesh(1)", "task=Autoencoding()"), "Autoencoding"),
    ((MADE, "VQVAE((4, 4)), task=Autoencoding()"), "is of values in [0, 1], not of 2 levels"),
    (("mesh=Mesh(1)", "tokenizer_from='run'"), "needs a tokenizer to be read"),
    (("mesh=Mesh(1)", "tokenizer=Palette(2), tokenizer_from='run'"), "the run run has no such tokenizer"),
    (("mesh=Mesh(1)", "tokenizer=Palette(2), tokenizer_from='nowhere'"), "nowhere is no run directory"),
    (("mesh=Mesh(1)", "tokenizer=Palette(3)"), "Palette(colours=3, seed=0) gives symbols 0..2, but Bernoulli"),
    (("Levels(2))", "Dynamic(1)), tokenizer=Palette(2)"), "draws values at random, which a tokenizer cannot encode"),
    (("mesh=Mesh(1)", "optimizer=None"), "AttributeError"),
)
BAD_CONFIGS = (
    Bad("train.py tinny.py", "there is no config tinny.py; did you mean tiny.py?"),
    Bad("train.py", "the config must come first, not nothing; use: python train.py configs/NAME.py [flags]"),
    Bad("train.py --steps 3", "the config must come first, not --steps"),
    Bad("train.py nowhere/zzz.py", "there is no config nowhere/zzz.py; `arjax train --help` lists the configs"),
    Bad("train.py bad.py", "there is no config bad.py", folder_instead("bad.py")),
    Bad("train.py tiny.npz", "the config tiny.npz is no Python file"),
    Bad("train.py bad.py", "fails in line 2: IndentationError", file("bad.py", "if True:\nx = 1\n")),
    Bad("train.py bad.py", "the config bad.py fails", file("bad.py", b"x = '\0'\n")),
    Bad("train.py bad.py", "fails in line 1: ValueError: one two", file("bad.py", "raise ValueError('one\\n\\ntwo')")),
    Bad(
        "train.py bad.py",
        "line 1: No module named 'no_such_module'; install it",
        file("bad.py", "import no_such_module"),
    ),
    Bad("train.py bad.py", "fails in line 2: RecursionError", file("bad.py", "def f():\n    f()\nf()")),
    Bad("train.py bad.py", "fails in line 2: SystemExit", file("bad.py", "import sys\nsys.exit(0)")),
    Bad("train.py bad.py", "must name an Experiment `experiment`, but has none", file("bad.py", "")),
    Bad("train.py bad.py", "but has a type", file("bad.py", TINY + "\nexperiment = Experiment\n")),
    *(Bad("train.py bad.py", says, config(*change)) for change, says in CONFIGS),
)

BAD_FLAGS = tuple(
    Bad(f"train.py tiny.py {flags}", says)
    for flags, says in (
        # tyro says what is wrong with these, and with fields that an object refuses as it is made.
        ("--model.net.hiden 3", "--model.net.hidden"),
        ("stray", "stray"),
        ("--steps", "--steps"),
        ("--steps 1.5", "--steps"),
        ("--model.net.activation step", "invalid choice 'step'"),
        ("--model.net.spec.param-size 5", "Unrecognized options"),
        ("--optimizer.learning-rate nan", "learning_rate=nan must be positive and finite"),
        ("--mesh.data 0", "Mesh(data=0) must be at least 1"),
        ("--model.net.dropout 1", "dropout=1.0 is not in [0, 1)"),
        ("--data.values.count 0", "Levels(0) needs at least one symbol"),
        # These are said of how the parts of an experiment fit together, or of the data.
        ("--steps 0", "steps=0 must be at least 1"),
        ("--steps 99999999999999999999", "steps=99999999999999999999"),
        ("--batch-size 17", "batch_size=17 is not in 1..16, the size of the training split"),
        ("--batch-size 8 --mesh.data 3", "batch_size=8 is not divisible by 3 devices; choose 9"),
        ("--batch-size 8 --mesh.data 8 --accumulate 2", "batch_size=8 is not divisible by 8 devices times accumulate=2"),
        ("--accumulate 3", "batch_size=8 is not divisible by accumulate=3"),
        ("--ensemble 2", "ensemble=2 needs something to average over"),
        ("--samples -1", "samples=-1 must be at least 0"),
        ("--seed 4294967296", "seed=4294967296 is not in 0..2**32-1"),
        ("--ema nan", "ema=nan is a decay rate"),
        ("--tokenizer-from run", "tokenizer_from=run needs a tokenizer"),
        ("--params-only b", "params_only=b needs params_from, to take them from"),
        ("--params-from nowhere", "nowhere: it holds neither the run.json of a run nor the config.json of a Hugging Face folder"),
        ("--params-from run --params-only zz", "--params-only zz begins the name of no parameter; the names begin with b c v w"),
        ("--params-from rows", "the parameters of rows do not fit this model (there -> here): b0 float32[16] -> float32[4], c "),
        ("--params-from run --run run", "run cannot start from its own parameters"),
        ("--mesh.data 99", "Mesh(data=99, fsdp=1, tensor=1) asks for more devices than there are (8)"),
        ("--optimizer.schedule.warmup 2", "warmup=2 must be less than steps=2"),
        ("--model.site-shape 16", "has examples of shape (4, 4), but the model's are (16,)"),
        ("--model.cond.classes 2", "set --model.cond.classes 3"),
        ("--run tiny.npz", "tiny.npz is a file, not a directory"),
        ("--run tiny.npz/run", "Not a directory: tiny.npz/run"),
        ("--run ''", ". is not empty and holds no run.json"),
        ("--run run --model.net.hidden 5", "run holds a different experiment (model.net.hidden: 4 there, 5 here)"),
        (f"--run {'x' * 300}", "File name too long"),
    )
)
