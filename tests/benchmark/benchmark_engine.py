"""`make benchmark`: the engine beside the paper's algorithm and the usual way of the interpretability libraries.

One process, same weights, same episodes (one task: 100 baseline, 50 dev, 50 test). Three methods:

* paper: as published. Whole prompts for θ, all hidden states traced; for the sweep the KV cache of all tokens but the
  last, then one pass per layer.
* library: whole prompts everywhere, and one full forward pass per layer.
* ours: `taskvectors.engine`.

"main experiment" gives what the paper reports: baseline, regular on test, θ of dev and test, the sweep on dev, one
layer on test. "as in this study" adds, for ours alone, the whole sweep on test.

The first two run as their users run them: torch's own kernels, their own batches, the model called plainly, so that
logits are made at every position. Where ours multiplies by other kernels (oneDNN), they are also timed with these.
"""

import argparse
import ctypes
import platform
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from taskvectors.data.episodes import SPLITS, Episode, by_task, read_episodes
from taskvectors.data.prompts import dummy_prompts, regular_prompt, zero_shot_prompt
from taskvectors.data.tokens import prompt_ids
from taskvectors.engine.heads import head_count, head_mask, indirect_effects, read_heads
from taskvectors.engine.model_check import load_model
from taskvectors.engine.passes import continue_prompts
from taskvectors.engine.patch import sweep_layers
from taskvectors.engine.read import mean_theta, read_states, read_theta
from taskvectors.engine.unembed import next_tokens
from taskvectors.models.kernels import OneDnnLinear, multiply_faster
from taskvectors.models.language_model import LanguageModel, block_hidden, find_blocks
from taskvectors.models.loading import filled_model

Ids = list[int]
BATCH = 50  # prompts in one pass of the paper's and the library's way


@dataclass(frozen=True)
class Task:
    """Token ids of one task's prompts: `[episode]`, and for θ `[episode][dummy]`."""

    baseline: list[Ids]
    regular: dict[str, list[Ids]]
    dummies: dict[str, list[list[Ids]]]
    zero_shot: dict[str, list[Ids]]


def tokenized(tokenizer: Any, splits: dict[str, list[Episode]]) -> Task:
    shown = {split: episodes for split, episodes in splits.items() if split != "baseline"}
    return Task(
        prompt_ids(tokenizer, [zero_shot_prompt(e) for e in splits["baseline"]]),
        {split: prompt_ids(tokenizer, [regular_prompt(e) for e in of_split]) for split, of_split in shown.items()},
        {split: [prompt_ids(tokenizer, dummy_prompts(e)) for e in of_split] for split, of_split in shown.items()},
        {split: prompt_ids(tokenizer, [zero_shot_prompt(e) for e in of_split]) for split, of_split in shown.items()},
    )


# --- whole prompts, padded to the left: what both others do ----------------------------------------------------------


def left_padded(lm: LanguageModel, prompts: list[Ids]) -> dict[str, Tensor]:
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts], device=lm.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=lm.device)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(-1) - 1).clamp(min=0)}


def whole_tokens(lm: LanguageModel, prompts: list[Ids]) -> Tensor:
    """Greedy token after each whole prompt."""
    batches = [prompts[i : i + BATCH] for i in range(0, len(prompts), BATCH)]
    return torch.cat([lm.model(**left_padded(lm, b), use_cache=False).logits[:, -1].argmax(-1).cpu() for b in batches])


def whole_theta(lm: LanguageModel, dummies: list[list[Ids]]) -> Tensor:
    """θ `[episode, layer, hidden]` from whole prompts, every block's output traced at every position."""
    prompts = [ids for episode in dummies for ids in episode]
    states = []
    for start in range(0, len(prompts), BATCH):
        traced = traced_states(lm, prompts[start : start + BATCH])
        states.append(torch.stack(traced, dim=1)[:, :, -1])
    return mean_theta(torch.cat(states).unflatten(0, (len(dummies), len(dummies[0]))))


def traced_states(lm: LanguageModel, prompts: list[Ids]) -> list[Tensor]:
    """Every block's output at every position: a list over layers of `[prompt, token, hidden]`, on the CPU."""
    traced: list[Tensor] = []
    hooks = [b.register_forward_hook(lambda m, i, out: traced.append(block_hidden(out).cpu())) for b in lm.blocks]
    lm.model(**left_padded(lm, prompts), use_cache=False)
    for hook in hooks:
        hook.remove()
    return traced


@contextmanager
def patched(block: nn.Module, theta: Tensor) -> Any:
    def patch(module: nn.Module, inputs: Any, output: Any) -> Any:
        hidden = block_hidden(output).clone()
        hidden[:, -1] = theta.to(hidden)
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    handle = block.register_forward_hook(patch)
    try:
        yield
    finally:
        handle.remove()


def paper_sweep(lm: LanguageModel, prompts: list[Ids], theta: Tensor, layers: range) -> Tensor:
    """Tokens `[episode, layer]`: the cache of all tokens but the last, then one pass of the last token per layer."""
    whole = left_padded(lm, prompts)
    first = {name: value[:, :-1] for name, value in whole.items()}
    last = {
        "input_ids": whole["input_ids"][:, -1:],
        "attention_mask": whole["attention_mask"],
        "position_ids": whole["position_ids"][:, -1:],
    }
    cache = lm.model(**first, use_cache=True).past_key_values
    tokens = []
    for layer in layers:
        with patched(lm.blocks[layer], theta[:, layer]):
            logits = lm.model(**last, past_key_values=cache, use_cache=True).logits
        tokens.append(logits[:, -1].argmax(-1).cpu())
        cache.crop(-1)
    return torch.stack(tokens, dim=1)


def library_sweep(lm: LanguageModel, prompts: list[Ids], theta: Tensor, layers: range) -> Tensor:
    """Tokens `[episode, layer]`: one full forward pass per layer."""
    tokens = []
    for layer in layers:
        with patched(lm.blocks[layer], theta[:, layer]):
            tokens.append(whole_tokens(lm, prompts))
    return torch.stack(tokens, dim=1)


# --- the experiments -------------------------------------------------------------------------------------------------


@dataclass
class Method:
    """One way to run the experiments."""

    name: str
    theta: Callable[[LanguageModel, Task, str], Tensor]
    sweep: Callable[[LanguageModel, list[Ids], Tensor], Tensor]
    main: Callable[[LanguageModel, Task], Any]


def published_main(sweep: Callable[[LanguageModel, list[Ids], Tensor, range], Tensor]) -> Callable[..., Any]:
    """Baseline, regular on test, θ of dev and test, the sweep on dev, and the patch at one layer on test."""

    def main(lm: LanguageModel, task: Task) -> None:
        whole_tokens(lm, task.baseline)
        whole_tokens(lm, task.regular["test"])
        sweep(lm, task.zero_shot["dev"], whole_theta(lm, task.dummies["dev"]), range(lm.layers))
        best = lm.layers // 2
        sweep(lm, task.zero_shot["test"], whole_theta(lm, task.dummies["test"]), range(best, best + 1))

    return main


def our_read(lm: LanguageModel, task: Task, splits: list[str], answered: str = "test") -> tuple[Tensor, Tensor]:
    """θ of splits, and the tokens after the full prompts of one of them."""
    dummies = [prompts for split in splits for prompts in task.dummies[split]]
    others = [[ids] if split == answered else [] for split in splits for ids in task.regular[split]]
    theta, _, final = read_theta(lm, dummies, others)
    return theta, next_tokens(lm, final)


def our_sweep(lm: LanguageModel, prompts: list[Ids], theta: Tensor) -> Tensor:
    return sweep_layers(lm, prompts, theta)[0][..., 0]


def our_main(lm: LanguageModel, task: Task) -> None:
    continue_prompts(lm, task.baseline, 1)
    theta, _ = our_read(lm, task, ["dev", "test"])
    dev = len(task.dummies["dev"])
    our_sweep(lm, task.zero_shot["dev"], theta[:dev])
    best = lm.layers // 2
    sweep_layers(lm, task.zero_shot["test"], theta[dev:, [best]], layers=[best])


def our_study(lm: LanguageModel, task: Task) -> None:
    continue_prompts(lm, task.baseline, 1)
    theta, _ = our_read(lm, task, ["dev", "test"])
    our_sweep(lm, task.zero_shot["dev"] + task.zero_shot["test"], theta)


def whole_split(lm: LanguageModel, task: Task, split: str) -> Tensor:
    whole_tokens(lm, task.regular[split])
    return whole_theta(lm, task.dummies[split])


def all_layers(sweep: Callable[..., Tensor]) -> Callable[[LanguageModel, list[Ids], Tensor], Tensor]:
    return lambda lm, prompts, theta: sweep(lm, prompts, theta, range(lm.layers))


METHODS = [
    Method("paper", whole_split, all_layers(paper_sweep), published_main(paper_sweep)),
    Method("library", whole_split, all_layers(library_sweep), published_main(library_sweep)),
    Method("ours", lambda lm, task, split: our_read(lm, task, [split], split)[0], our_sweep, our_main),
]


def experiments(lm: LanguageModel, task: Task, method: Method, theta: Tensor) -> dict[str, Callable[[], Any]]:
    runs = {
        "extraction of a split": lambda: method.theta(lm, task, "dev"),
        "sweep, zero-shot": lambda: method.sweep(lm, task.zero_shot["dev"], theta),
        "sweep, demonstrations kept": lambda: method.sweep(lm, task.regular["dev"], theta),
        "main experiment": lambda: method.main(lm, task),
    }
    return runs | ({"as in this study": lambda: our_study(lm, task)} if method.name == "ours" else {})


# --- counting and measuring ------------------------------------------------------------------------------------------


@dataclass
class Passes:
    """Counts tokens through blocks, so that the floor needs no formula for each method; padding is not counted."""

    lm: LanguageModel
    rows: float = 0
    handles: list = field(default_factory=list)

    def __enter__(self) -> "Passes":
        def count(block: nn.Module, inputs: Any, output: Any) -> None:  # before hooks of the engine change the output
            hidden = block_hidden(output)
            self.rows += hidden.shape[0] * hidden.shape[1]

        self.lm.argument_rows(2)  # the model runs for it, once
        self.handles = [block.register_forward_hook(count) for block in self.lm.blocks]
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self.handles:
            handle.remove()

    @property
    def tokens(self) -> float:
        """Tokens through the whole stack."""
        return self.rows / self.lm.layers


class PeakMemory(threading.Thread):
    """Highest memory use beyond that at the start, in MB: of the process, or of the GPU's allocator."""

    def __init__(self, lm: LanguageModel) -> None:
        super().__init__(daemon=True)
        self.cuda = lm.device.type == "cuda"
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)  # what earlier runs freed does not hide what this one takes
        self.done = threading.Event()
        self.start_bytes = self.peak = self.now()

    def now(self) -> int:
        return torch.cuda.memory_allocated() if self.cuda else psutil.Process().memory_info().rss

    def run(self) -> None:
        while not self.done.wait(0.01):
            self.peak = max(self.peak, self.now())

    def megabytes(self) -> float:
        self.done.set()
        self.join()
        return (self.peak - self.start_bytes) / 1e6


def seconds(lm: LanguageModel, run: Callable[[], Any], repeats: int) -> float:
    """The fastest of several runs; no further one after ten seconds."""
    best, begun = float("inf"), time.perf_counter()
    for _ in range(repeats):
        if time.perf_counter() - begun > 10:
            break
        start = time.perf_counter()
        run()
        if lm.device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def block_multiplications(lm: LanguageModel) -> int:
    """Multiply-adds of one token through all blocks' weight matrices."""
    return sum(p.numel() for block in lm.blocks for p in block.parameters() if p.dim() > 1)


def matrix_rates(lm: LanguageModel) -> dict[str, float]:
    """Multiply-adds a second of the block's largest matrix on 2048 tokens: by torch's plain matmul and as the model
    runs it."""
    linear = max((m for m in lm.blocks[0].modules() if isinstance(m, nn.Linear)), key=lambda m: m.weight.numel())
    x = torch.randn(2048, linear.in_features, dtype=lm.dtype, device=lm.device)
    work = x.shape[0] * linear.weight.numel()
    weight = linear.weight.T
    plain = min(seconds(lm, lambda: x @ weight, 5) for _ in range(10))
    own = min(seconds(lm, lambda: linear(x), 5) for _ in range(10))
    return {"torch.matmul": work / plain, "the model's linear layers": work / own}


def table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows])


def compare(lm: LanguageModel, task: Task, repeats: int, plain: LanguageModel | None = None) -> str:
    """Markdown table of all experiments and methods.

    Args:
        plain: the same model with torch's own kernels, where `lm` has others.
    """
    theta, _ = our_read(lm, task, ["dev"])
    rate = max(matrix_rates(lm).values())
    work = block_multiplications(lm)
    ways = [(method, method.name, lm if plain is None or method.name == "ours" else plain) for method in METHODS]
    if plain is not None:
        ways[-1:-1] = [(method, f"{method.name}, our kernels", lm) for method in METHODS if method.name != "ours"]
    rows = []
    for name in experiments(lm, task, METHODS[-1], theta):
        times: dict[str, float] = {}
        for method, way, model in ways:
            run = experiments(model, task, method, theta).get(name)
            if run is None:
                continue
            memory = PeakMemory(model)
            memory.start()
            with Passes(model) as passes:
                first = seconds(model, run, 1)  # also warms up
            peak = memory.megabytes()
            times[way] = min(first, seconds(model, run, repeats)) if first < 20 else first
            floor = passes.tokens * work / rate
            cells = [name, way, f"{times[way]:.2f}", f"{passes.tokens / times[way]:.0f}"]
            rows.append([*cells, f"{floor / times[way]:.0%}", f"{peak:.0f}"])
        for row in rows[-len(times) :]:
            row.append(f"{times[row[1]] / times['ours']:.1f}×")
    header = ["experiment", "method", "seconds", "tokens/s", "share of floor", "peak memory, MB", "ours is faster by"]
    return table(header, rows)


def plain_effects(lm: LanguageModel, prompts: list[Ids], means: list[Tensor], answers: Tensor) -> Tensor:
    """Causal indirect effects `[episode, layer, head]`, a full pass over all prompts for every head, as they are
    published."""
    count, batch = head_count(lm), left_padded(lm, prompts)

    def chances() -> Tensor:
        return (
            lm.model(**batch, use_cache=False).logits[:, -1].float().softmax(dim=-1).gather(1, answers[:, None])[:, 0]
        )

    bare, effects = chances(), []
    for layer, mixer in enumerate(lm.head_mixers):
        for head in range(count):
            mask = head_mask(means[layer].shape[1], count, [head])

            def put(mixer: nn.Module, inputs: Any, layer: int = layer, mask: Tensor = mask) -> Any:
                mixed = inputs[0].clone()
                mixed[:, -1, mask] = means[layer][:, mask]
                return (mixed, *inputs[1:])

            hook = mixer.register_forward_pre_hook(put)
            effects.append(chances() - bare)
            hook.remove()
    return torch.stack(effects, dim=1).unflatten(1, (lm.layers, count))


def heads(lm: LanguageModel, task: Task, repeats: int, prompts: int = 8) -> str:
    """Markdown table: the effects of all heads, by the staircase and by a pass for each."""
    few = task.regular["dev"][:prompts]
    means, answers = read_heads(lm, few), torch.zeros(len(few), dtype=torch.long)
    ours = seconds(lm, lambda: indirect_effects(lm, few, means, answers), repeats)
    theirs = seconds(lm, lambda: plain_effects(lm, few, means, answers), 1)
    row = [f"all heads of {len(few)} prompts", f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.1f}×"]
    return table(["work", "staircase, seconds", "a pass for each head, seconds", "ours is faster by"], [row])


def resized(weights: Path, lm: LanguageModel, layers: int) -> LanguageModel:
    """A model of random weights in the same shape with another number of blocks."""
    config = AutoConfig.from_pretrained(weights)
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        config.layer_types = (config.layer_types * 2)[:layers]
    model = AutoModelForCausalLM.from_config(config, dtype=lm.dtype).to(lm.device).eval().requires_grad_(False)
    if lm.device.type == "cpu" and lm.dtype == torch.float32:
        multiply_faster(model)
    return LanguageModel(model, lm.tokenizer, find_blocks(model))


def growth(weights: Path, lm: LanguageModel, task: Task, repeats: int) -> str:
    """Markdown table: what half the layers or half the episodes cost, measured and predicted from multiply-adds."""
    rows = []
    half = resized(weights, lm, lm.layers // 2)
    everything = {"read": (task.regular["dev"], task.dummies["dev"]), "sweep": (task.zero_shot["dev"], None)}
    unembedding = lm.model.get_output_embeddings().weight.numel()
    for kind, (prompts, dummies) in everything.items():
        cost: dict[tuple[int, int], tuple[float, float]] = {}
        for model in (half, lm):
            for episodes in (len(prompts) // 2, len(prompts)):
                if kind == "read":
                    batch = [[r, *d] for r, d in zip(prompts[:episodes], dummies[:episodes], strict=True)]
                    run = lambda model=model, batch=batch: read_states(model, batch)  # noqa: E731
                    unembedded = 0
                else:
                    theta = torch.randn(episodes, model.layers, model.hidden)
                    run = lambda m=model, p=prompts[:episodes], t=theta: our_sweep(m, p, t)  # noqa: E731
                    unembedded = episodes * (1 + model.layers)
                with Passes(model) as passes:
                    run()
                predicted = passes.tokens * block_multiplications(model) + unembedded * unembedding
                cost[model.layers, episodes] = (seconds(model, run, repeats), predicted)
        full, few = (lm.layers, len(prompts)), len(prompts) // 2
        for what, smaller in (("layers", (lm.layers // 2, len(prompts))), ("episodes", (lm.layers, few))):
            measured, predicted = (cost[full][i] / cost[smaller][i] for i in (0, 1))
            rows.append([kind, f"twice the {what}", f"{measured:.2f}×", f"{predicted:.2f}×"])
    return table(["work", "growth", "measured", "predicted"], rows)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m", help="a folder of results/ with weights and episodes")
    parser.add_argument("--family", default="linguistic")
    parser.add_argument("--task", default="present_simple_gerund")
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    folder = Path("results", options.model)
    episodes = by_task(read_episodes(folder / "episodes" / f"{options.family}.jsonl"))[options.task]
    first = [episode for episode in episodes if episode.seed == episodes[0].seed]
    splits = {split: [episode for episode in first if episode.split == split] for split in SPLITS}
    with torch.inference_mode():
        for dtype in options.dtype:
            lm = load_model(folder / "weights", dtype, options.device)
            task = tokenized(lm.tokenizer, splits)
            machine = torch.cuda.get_device_name() if lm.device.type == "cuda" else processor()
            print(
                f"\n{options.model}, {dtype}, {options.task}; {machine}, {options.threads} threads, torch {torch.__version__}"
            )
            for name, rate in matrix_rates(lm).items():
                print(f"matrix rate of {name}: {rate / 1e9:.0f} billion multiply-adds a second")
            plain = None
            if any(isinstance(module, OneDnnLinear) for module in lm.model.modules()):
                model = filled_model(folder / "weights", dtype, {"": "cpu"})
                plain = LanguageModel(model, lm.tokenizer, find_blocks(model))
            print(f"\n{compare(lm, task, options.repeats, plain)}\n", flush=True)
            if dtype == options.dtype[0]:
                print(f"{heads(lm, task, options.repeats)}\n", flush=True)
                print(f"{growth(folder / 'weights', lm, task, options.repeats)}\n", flush=True)


def processor() -> str:
    """The processor's own name, where Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
