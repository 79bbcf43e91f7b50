"""The zoo: a tiny model of every kind. A new model is one row here, and the whole conformance kit runs on it: in `make test`
where `QUICK` names it, else in `make test-slow`."""

from arjax.heads import (
    Bernoulli,
    Categorical,
    Cell,
    CoupledDiscretizedMixtureOfLogistics,
    DiscretizedMixtureOfLogistics,
    Law,
    MixtureOfGaussians,
    MixtureOfLogistics,
    Ordinal,
)
from arjax.layers.attention_mask import Strided, Window
from arjax.models import (
    MADE,
    RNN,
    BayesNet,
    Columns,
    GatedPixelCNN,
    Histogram,
    LMConv,
    NeuralBayesNet,
    PixelCNN,
    PixelCNNPP,
    Transformer,
    WaveNet,
)
from arjax.orders import AnyOrder, Hilbert, Random, Snake, Spiral, Topological, s_curves
from arjax.protocol import CondSpec, Model

EDGES = ((4, 1), (4, 0), (1, 2), (0, 2), (4, 2), (2, 3))

LAWS = (
    Law("real", location=3.0, scale=2.0, resolution=0.1),
    Law("categorical", 3, missing=True),
    Law("ordered", 4),
    Law("real", location=-1.0, scale=0.5, missing=True),
)

ZOO = {
    "made": Model(MADE(hidden=(12,)), Bernoulli(), (2, 4)),
    "made_deep_direct": Model(MADE(hidden=(9, 16, 5), direct=True, activation="tanh"), Bernoulli(), (3, 3), Spiral()),
    "made_random_degrees": Model(MADE(hidden=(16, 16), degrees="random"), Bernoulli(), (7,), Random(3)),
    "made_any_order": Model(MADE(hidden=(12, 12)), Bernoulli(), (2, 4), AnyOrder()),
    "made_members": Model(MADE(hidden=(12, 8), degrees="random"), Bernoulli(), (2, 3), AnyOrder(), CondSpec(members=3)),
    "made_labels": Model(MADE(hidden=(10, 10), direct=True), Bernoulli(), (2, 3), cond=CondSpec(classes=4)),
    "made_categorical": Model(MADE(hidden=(12,), direct=True), Categorical(3), (2, 2, 1), Hilbert()),
    "made_embedding": Model(MADE(hidden=(12,), embedding=2), Categorical(5), (4,), AnyOrder()),
    "made_many_values": Model(MADE(hidden=(12,), embedding=3), Categorical(256), (3, 2)),
    "made_one_site": Model(MADE(hidden=(3,)), Categorical(4), (1,)),
    "made_gaussians": Model(MADE(hidden=(12,)), MixtureOfGaussians(2), (5,), AnyOrder()),
    "made_logistics": Model(MADE(hidden=(12,), direct=True), MixtureOfLogistics(3), (2, 2)),
    "made_discretized": Model(MADE(hidden=(12,), embedding=2), DiscretizedMixtureOfLogistics(4, 2), (4,), Random(1)),
    "made_coupled": Model(MADE(hidden=(12,)), CoupledDiscretizedMixtureOfLogistics(3, 2), (1, 2)),
    # One site: at several, which a histogram holds independent, the check of causality would rightly find nothing to check.
    "histogram": Model(Histogram(), Ordinal(5), (1,)),
    "histogram_mixture": Model(Histogram(), DiscretizedMixtureOfLogistics(6, 2), (1, 1)),
    # The arities' lowest are generated last, so that the symbols the kit observes are possible ones.
    "bayes_tables": Model(BayesNet(EDGES, (3, 3, 2, 1, 3)), Categorical(3), (5,), Topological(EDGES), CondSpec(classes=2)),
    "bayes_neural": Model(NeuralBayesNet(EDGES, (6, 5), arities=(3, 3, 2, 3, 3)), Ordinal(3), (5,), Topological(EDGES)),
    "bayes_neural_shared": Model(
        NeuralBayesNet(EDGES, (8, 4), shared=True), Bernoulli(), (5, 1), Topological(EDGES), CondSpec(classes=2)
    ),
    "lstm": Model(RNN("lstm", width=8), Bernoulli(), (2, 4)),
    "lstm_embedding": Model(RNN("lstm", width=8, depth=2, embedding=3), Categorical(5), (4,)),
    "lstm_coordinates": Model(RNN("lstm", width=8, coordinates=True), Bernoulli(), (2, 4), AnyOrder()),
    "gru_deep": Model(RNN("gru", width=8, depth=3, dropout=0.5), Categorical(3), (2, 2), Snake()),
    "gru_labels": Model(RNN("gru", width=8, coordinates=True), Bernoulli(), (2, 3), Random(3), CondSpec(classes=4)),
    "wavenet": Model(WaveNet(1, 3, width=6, skip=5, readout=4), Bernoulli(), (2, 4)),
    "wavenet_stacks": Model(WaveNet(2, 2, 3, width=6, skip=5, readout=4), Categorical(3), (7,), cond=CondSpec(classes=3)),
    "wavenet_coordinates": Model(WaveNet(1, 2, width=6, skip=5, readout=4, coordinates=True), Bernoulli(), (2, 3), AnyOrder()),
    "wavenet_local": Model(WaveNet(1, 2, width=6, skip=5, readout=4), Categorical(3), (5,), cond=CondSpec(local=2, hop=2)),
    "wavenet_discretized": Model(WaveNet(2, 1, width=6, skip=5, readout=4), DiscretizedMixtureOfLogistics(4, 2), (4,), Random(1)),
    "wavenet_bfloat16": Model(
        WaveNet(1, 3, width=6, skip=5, readout=4, dtype="bfloat16"), Categorical(3), (5,), cond=CondSpec(classes=3, local=2)
    ),
    "pixelcnn": Model(PixelCNN(width=4, blocks=2, head=(5,), kernel=5), Bernoulli(), (3, 3)),
    "pixelcnn_rgb": Model(PixelCNN(width=6, blocks=1, head=(6,), kernel=3, coordinates=True), Categorical(4), (1, 2, 3)),
    "pixelcnn_coupled": Model(
        PixelCNN(width=4, blocks=1, kernel=3, embedding=2), CoupledDiscretizedMixtureOfLogistics(3, 2), (1, 2)
    ),
    "pixelcnn_labels": Model(
        PixelCNN(width=4, blocks=1, kernel=3, dropout=0.5), MixtureOfLogistics(2), (3, 2), cond=CondSpec(classes=3)
    ),
    "pixelcnn_bfloat16": Model(
        PixelCNN(width=6, blocks=1, head=(6,), kernel=3, coordinates=True, dtype="bfloat16"),
        Categorical(4),
        (1, 2, 3),
        cond=CondSpec(classes=3),
    ),
    "gated_pixelcnn": Model(GatedPixelCNN(width=3, layers=2, head=(5,), kernel=5), Bernoulli(), (3, 3)),
    "gated_pixelcnn_rgb": Model(
        GatedPixelCNN(width=6, layers=1, head=(6,), kernel=3, coordinates=True), Categorical(4), (1, 2, 3)
    ),
    "gated_pixelcnn_coupled": Model(
        GatedPixelCNN(width=4, layers=1, kernel=3, embedding=2), CoupledDiscretizedMixtureOfLogistics(3, 2), (1, 2)
    ),
    "gated_pixelcnn_labels": Model(
        GatedPixelCNN(width=4, layers=1, kernel=3, dropout=0.5), MixtureOfLogistics(2), (3, 2), cond=CondSpec(classes=3)
    ),
    "gated_pixelcnn_bfloat16": Model(
        GatedPixelCNN(width=6, layers=1, head=(6,), kernel=3, dtype="bfloat16"),
        Categorical(4),
        (1, 2, 3),
        cond=CondSpec(classes=3),
    ),
    "columns_made": Model(Columns(MADE(hidden=(12,), direct=True), 3, LAWS), Cell(2, levels=4), (4,), AnyOrder()),
    "columns_transformer": Model(
        Columns(Transformer(8, 2, 2, any_order=True), 3, LAWS), Cell(2, levels=4), (4,), AnyOrder(), CondSpec(classes=3)
    ),
    "columns_rnn": Model(Columns(RNN("gru", width=8), 3, LAWS[::-1]), Cell(2, levels=5), (4,), Random(1)),
    "lmconv": Model(LMConv(width=4, blocks=2, kernel=5), Bernoulli(), (3, 3), AnyOrder()),
    "lmconv_coupled": Model(
        LMConv(width=4, blocks=1, kernel=3), CoupledDiscretizedMixtureOfLogistics(3, 2), (1, 2), AnyOrder(Snake(), s_curves())
    ),
    "lmconv_labels": Model(
        LMConv(width=4, blocks=1, kernel=3, embedding=2, coordinates=True, dropout=0.5),
        Categorical(3),
        (2, 3),
        Spiral(),
        CondSpec(classes=2),
    ),
    "lmconv_real": Model(LMConv(width=4, blocks=3, kernel=3), MixtureOfLogistics(2), (2, 3), Hilbert()),
    "lmconv_bfloat16": Model(LMConv(width=4, blocks=2, kernel=5, dtype="bfloat16"), Bernoulli(), (3, 3), AnyOrder()),
    "pixelcnnpp": Model(PixelCNNPP(width=3, resnets=1, levels=2, coordinates=True), Bernoulli(), (4, 4)),
    "pixelcnnpp_rgb": Model(PixelCNNPP(width=3, resnets=1, levels=1), CoupledDiscretizedMixtureOfLogistics(3, 2), (1, 2)),
    "pixelcnnpp_labels": Model(
        PixelCNNPP(width=3, resnets=1, levels=2), DiscretizedMixtureOfLogistics(8, 2), (2, 2, 1), cond=CondSpec(classes=3)
    ),
    "pixelcnnpp_bfloat16": Model(
        PixelCNNPP(width=3, resnets=1, levels=2, dtype="bfloat16"), Categorical(4), (2, 2), cond=CondSpec(classes=3)
    ),
    "transformer": Model(Transformer(8, 2, 2, dropout=0.5), Bernoulli(), (2, 4)),
    "transformer_scanned": Model(Transformer(8, 3, 2, scan=True), Categorical(3), (5,)),
    "transformer_any_order": Model(Transformer(8, 2, 2, positions="axial", any_order=True), Bernoulli(), (2, 3), AnyOrder()),
    "transformer_rotary": Model(Transformer(8, 2, 1, positions="rotary", any_order=True), Categorical(3), (2, 2), AnyOrder()),
    "transformer_grouped": Model(
        Transformer(8, 2, 4, kv_heads=2, norm="rms", positions="sinusoidal", mask=Window(2), tied=True, bos=0),
        Categorical(4),
        (5,),
    ),
    "transformer_memory": Model(
        Transformer(8, 2, 2, encoder_layers=1), Bernoulli(), (2, 3), Snake(), CondSpec(classes=3, memory=(3, 2))
    ),
    "transformer_mixture": Model(Transformer(8, 2, 2, mask=Strided(2)), MixtureOfLogistics(2), (2, 3)),
    "transformer_bfloat16": Model(
        Transformer(8, 2, 2, positions="axial", any_order=True, dtype="bfloat16"), Categorical(3), (2, 3), AnyOrder()
    ),
}

# One of every family, with symbols and real values, labels and orders; what else there is, CI's slow part tries.
QUICK = {
    "made",
    "made_gaussians",
    "histogram",
    "bayes_tables",
    "columns_made",
    "lstm",
    "wavenet",
    "pixelcnn",
    "gated_pixelcnn",
    "lmconv",
    "pixelcnnpp_rgb",
    "transformer",
}
