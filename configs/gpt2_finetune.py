"""A GPT-2 of a Hugging Face folder, fine-tuned on your own text; see docs/guides/fine_tuning.md.

Command: python train.py configs/gpt2_finetune.py --params-from FOLDER --data.path PATH
Hardware and time: not measured; even the smallest GPT-2, of 124 million parameters, needs an accelerator
Result: depends on your text

The folder decides the model and its tokens. It holds config.json, model.safetensors and tokenizer.json, as save_pretrained of
transformers writes them. Nothing is downloaded.
"""

from arjax.data import TextFiles
from arjax.training import AdamW, Cosine, Experiment, Pretrained

experiment = Experiment(
    data=TextFiles(symbols="bytes", length=256),
    model=Pretrained(),
    optimizer=AdamW(learning_rate=5e-5, schedule=Cosine(warmup=20), weight_decay=0.01),
    batch_size=8,
    steps=200,
    ema=0.9,
    eval_every=50,
    eval_batch_size=16,
    samples=4,
)
