"""Two stages in one program: the tokens are those of the sampler, the images those that the tokens stand for."""

import jax
import numpy as np
import pytest

from arjax.heads import Categorical
from arjax.models import Transformer
from arjax.protocol import Cond, CondSpec, Model
from arjax.sampling import TopK, ancestral, decoded
from arjax.sampling.decoded import _decoded
from arjax.testing import lively_params
from arjax.tokenizers import VQVAE, Bits, EMACodebook, Fitted, Palette

KEY = jax.random.key(3)


def autoencoder(quantizer):
    tokenizer = VQVAE(shape=(4, 6), strides=(2,), width=8, residual_width=4, blocks=1, quantizer=quantizer)
    return Fitted(tokenizer, tokenizer.flatten(*tokenizer.init(KEY)))


def palette():
    return Fitted(Palette(6), {"colours": np.float32([[0], [9], [50], [51], [200], [255]])})


def model_of(vocab, shape, **options):
    return Model(Transformer(width=8, layers=1, heads=2, positions="axial"), Categorical(vocab), shape, **options)


@pytest.mark.parametrize(
    ("tokenizer", "shape"),
    [
        (autoencoder(EMACodebook(6, 3)), (2, 3)),
        (palette(), (2, 3)),
        (Fitted(Bits(2), {}), (3, 2)),
    ],
    ids=["codebook", "palette", "bits"],
)
def test_decoded_draws_the_samplers_tokens_and_decodes_them(tokenizer, shape):
    model = model_of(tokenizer.tokenizer.vocab, shape)
    params = lively_params(model, KEY)
    tokens, x = decoded(model, params, tokenizer, KEY, 5)
    np.testing.assert_array_equal(tokens, ancestral(model, params, KEY, 5))
    np.testing.assert_allclose(x, tokenizer.decode(np.asarray(tokens)), atol=1e-6)
    assert len(np.unique(np.asarray(x).reshape(5, -1), axis=0)) > 1


def test_decoded_hands_a_condition_and_transforms_on():
    tokenizer, model = palette(), model_of(6, (2, 2), cond=CondSpec(classes=3))
    params, cond = lively_params(model, KEY), Cond(np.array([0, 2]))
    tokens = decoded(model, params, tokenizer, KEY, 2, cond=cond, transforms=(TopK(1),)).tokens
    np.testing.assert_array_equal(tokens, ancestral(model, params, KEY, 2, cond=cond, transforms=(TopK(1),)))
    with pytest.raises(ValueError, match="label"):
        decoded(model, params, tokenizer, KEY, 2, cond=Cond(np.array([0, 3])))


def test_decoded_compiles_nothing_anew_for_another_key_or_codebook():
    tokenizer, model = palette(), model_of(6, (2, 2))
    params = lively_params(model, KEY)
    decoded(model, params, tokenizer, KEY, 3)
    before = _decoded._cache_size()
    brighter = Fitted(tokenizer.tokenizer, {"colours": tokenizer.learned["colours"] + np.float32(0.1)})
    decoded(model, params, brighter, jax.random.key(8), 3)
    assert _decoded._cache_size() == before


def test_decoded_refuses_tokens_of_text_and_a_head_of_more_symbols_than_tokens():
    text = Model(Transformer(width=8, layers=1, heads=2), Categorical(300), (4,))
    with pytest.raises(ValueError, match=r"tokens of shape \(4,\) are no images'; draw them with arjax.sample"):
        decoded(text, {}, Fitted(None, {}), KEY, 1)
    with pytest.raises(ValueError, match=r"draws 7 symbols, but the tokenizer has 6 tokens; give the one"):
        decoded(model_of(7, (2, 2)), {}, palette(), KEY, 1)
