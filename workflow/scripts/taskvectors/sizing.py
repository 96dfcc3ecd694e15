"""What a model asks of a machine before anything is loaded: memory, GPUs, disk, and an estimate of the time.

From an entry of config/models.yaml alone: its `parameters`, `dtype`, `device` and `shape`. Nothing here imports torch,
so that Snakemake itself can call it for the resources of a rule and for `make plan`.
"""

import math
from collections.abc import Mapping
from typing import Any

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "auto": 4}  # of a parameter; auto may turn out to be any
UNKNOWN = 7_000_000_000  # parameters, assumed of a model whose entry does not say: for what is requested of a cluster
TOKENS = 8192  # at once: enough to keep a GPU busy; fewer where less memory is left (taskvectors/models/batches.py)
FRAMEWORK_MB = 4000  # torch, transformers and Snakemake in the job, and room for tables
FILLED = 0.9  # of a GPU's memory that can be planned with
PART = 64  # episodes on whose demonstrations vectors descend at once: all their prompts' keys and values are held
# Tokens of a prompt, on average over the paper's tasks and tokenizers: of a demonstration, and of a query.
DEMONSTRATION, QUERY = 9, 6


def parameters(entry: Mapping[str, Any]) -> int:
    """Their number, or what is assumed of a model whose entry does not say."""
    return entry.get("parameters") or UNKNOWN


def weight_bytes(entry: Mapping[str, Any]) -> int:
    """Bytes of the weights as computed with."""
    return parameters(entry) * BYTES[entry["dtype"]]


def bytes_per_token(hidden: int, intermediate: int, layers: int, itemsize: int, kept_copies: float = 1) -> float:
    """Memory of one token in a pass: the activations of one block, and keys and values in all blocks, `kept_copies`
    times."""
    return itemsize * (2 * intermediate + 8 * hidden + kept_copies * 2 * hidden * layers)


def activation_bytes(entry: Mapping[str, Any]) -> int:
    """Bytes of a pass over `TOKENS` tokens; of a model without `shape`, that of one with 12 × layers × hidden²
    parameters."""
    layers, hidden = _layers_and_hidden(entry)
    intermediate = (entry.get("shape") or {}).get("intermediate_size") or 4 * hidden
    return int(TOKENS * bytes_per_token(hidden, intermediate, layers, BYTES[entry["dtype"]]))


def _layers_and_hidden(entry: Mapping[str, Any]) -> tuple[int, int]:
    shape = entry.get("shape") or {}
    layers = shape.get("num_hidden_layers", 32)
    return layers, shape.get("hidden_size") or math.isqrt(parameters(entry) // (12 * layers))


def descent_bytes(entry: Mapping[str, Any], demonstrations: int) -> int:
    """Bytes that descent on demonstrations takes beside: another model of this size, with random weights, and the keys
    and values of the bare prompts of `PART` episodes: their demonstrations, those of two controls, and their
    queries."""
    layers, hidden = _layers_and_hidden(entry)
    tokens = PART * (1 + 3 * demonstrations) * QUERY
    another = (1.2 if entry["device"] == "cuda" else 2.2) * weight_bytes(entry)  # on a CPU weights have packed copies
    return int(another + 2 * tokens * hidden * layers * BYTES[entry["dtype"]])


def gpus(entry: Mapping[str, Any], memory_gb: float) -> int:
    """GPUs of `memory_gb` that hold the weights and a pass; 0 for a model that is to run on a CPU."""
    if entry["device"] == "cpu":
        return 0
    return math.ceil((weight_bytes(entry) + activation_bytes(entry)) / (FILLED * memory_gb * 1e9))


def memory_mb(entry: Mapping[str, Any]) -> int:
    """Memory of a job that loads the model: on a GPU the weights pass through it once; a CPU also holds packed copies
    and a pass."""
    weights, passing = weight_bytes(entry) / 1e6, activation_bytes(entry) / 1e6
    return math.ceil(FRAMEWORK_MB + 1.2 * weights + (0 if entry["device"] == "cuda" else weights + passing))


def disk_gb(entry: Mapping[str, Any]) -> float:
    """Download and prepared weights: a GGUF file is de-quantized to float32, anything else is linked."""
    if "wheels" in entry and "folder" not in entry:
        return parameters(entry) * (0.75 + 4) / 1e9
    return parameters(entry) * BYTES[entry["dtype"]] / 1e9


def hours(entry: Mapping[str, Any], tokens: float, teraflops: float) -> float:
    """Estimated hours of computing: two operations per parameter and token at a sustained rate."""
    return 2 * parameters(entry) * tokens / (teraflops * 1e12) / 3600
