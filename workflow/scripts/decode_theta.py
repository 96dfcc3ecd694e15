"""Rule decode_theta: the tokens that the mean θ of each task points to (paper, section 5.2, tables 3 and 7)."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor

from taskvectors.engine import unembed
from taskvectors.models import LanguageModel, load_model
from taskvectors.progress import reported, track
from taskvectors.tables import read_csv, write_csv
from taskvectors.tokens import decode


def main(
    model: str,
    lm: LanguageModel,
    theta: dict[str, Tensor],
    choice: pd.DataFrame,
    decoding: Mapping[str, Any],
    file: str,
) -> None:
    rows = []
    for chosen in track(choice.itertuples(), len(choice), "decode_theta"):
        mean = theta[f"{chosen.task}/test"].float().mean(dim=0)
        layers = sorted({min(chosen.layer + offset, lm.layers - 1) for offset in decoding["layers_above"]})
        logits = unembed(lm, mean[layers])
        top = logits.float().topk(decoding["top"], dim=-1)
        for row, layer in enumerate(layers):
            words = decode(lm.tokenizer, top.indices[row].tolist())
            values = top.values[row].tolist()
            rows += [
                (model, chosen.family, chosen.task, layer, rank, word, value)
                for rank, (word, value) in enumerate(zip(words, values, strict=True), start=1)
            ]
    columns = ["model", "family", "task", "layer", "rank", "token", "logit"]
    write_csv(file, pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    with reported(snakemake.log[0], "decode_theta"):
        torch.set_num_threads(snakemake.threads)
        thetas: dict[str, Tensor] = {}
        for path in snakemake.input.theta:
            thetas |= load_file(path)
        main(
            snakemake.wildcards.model,
            load_model(snakemake.input.weights, snakemake.params.dtype, snakemake.params.device),
            thetas,
            read_csv(snakemake.input.choice),
            snakemake.params.decoding,
            snakemake.output.tokens,
        )
