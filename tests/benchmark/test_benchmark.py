"""What `make benchmark` compares gives the same answers, and its counts are what the design predicts."""

import pytest
import torch
from benchmark_engine import METHODS, Passes, Task, block_multiplications, compare, growth, heads, main, plain_effects
from reference import everything_in_float64, ragged, tiny

from conftest import ROOT
from taskvectors.data.episodes import write_episodes
from taskvectors.data.family_episodes import family_episodes
from taskvectors.engine.heads import indirect_effects, read_heads
from taskvectors.engine.patch import sweep_layers
from taskvectors.models.loading import load_tokenizer
from taskvectors.models.preparation import prepare


@pytest.fixture
def task() -> Task:
    prompts = {split: ragged(seed, episodes=6, prompts=3) for seed, split in enumerate(("dev", "test"))}
    return Task(
        baseline=[episode[0] for episode in ragged(9, 4, 1)],
        regular={split: [episode[0] for episode in of_split] for split, of_split in prompts.items()},
        dummies={split: [episode[1:] for episode in of_split] for split, of_split in prompts.items()},
        zero_shot={split: [episode[0][-3:] for episode in of_split] for split, of_split in prompts.items()},
    )


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neox"])
@torch.inference_mode()
def test_all_methods_give_the_same_theta_and_tokens(architecture, task):
    with everything_in_float64():
        lm = tiny(architecture)
        thetas = [method.theta(lm, task, "dev") for method in METHODS]
        for theta in thetas[1:]:
            torch.testing.assert_close(theta, thetas[0], atol=1e-9, rtol=1e-9)
        for prompts in (task.zero_shot["dev"], task.regular["dev"]):
            tokens = [method.sweep(lm, prompts, 3 * thetas[0]) for method in METHODS]
            assert torch.equal(tokens[0], tokens[1]) and torch.equal(tokens[0], tokens[2])
        for method in METHODS:
            method.main(lm, task)


@torch.inference_mode()
def test_both_ways_give_the_same_effects_of_heads(task):
    with everything_in_float64():
        lm = tiny("llama")
        prompts = task.regular["dev"]
        means, answers = read_heads(lm, prompts), torch.arange(len(prompts))
        ours, theirs = (way(lm, prompts, means, answers) for way in (indirect_effects, plain_effects))
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-6)
        assert "×" in heads(lm, task, repeats=1, prompts=2)


@torch.inference_mode()
def test_the_sweep_passes_as_many_tokens_as_the_design_says(task):
    lm = tiny("llama")
    prompts = task.zero_shot["dev"]
    with Passes(lm) as passes:
        sweep_layers(lm, prompts, torch.zeros(len(prompts), lm.layers, lm.hidden))
    before_last = sum(
        len(ids) - 1 for ids in prompts
    )  # they leave the top block when it has kept their keys and values
    assert passes.tokens * lm.layers == before_last * (lm.layers - 1) + len(prompts) * lm.layers * (lm.layers + 1) / 2
    blocks = [p for name, p in lm.model.named_parameters() if ".layers." in name and p.dim() > 1]
    assert block_multiplications(lm) == sum(p.numel() for p in blocks)


@torch.inference_mode()
def test_the_benchmark_prints_its_tables(task, tmp_path):
    lm = tiny("llama", torch.float32)
    lm.model.config.save_pretrained(tmp_path)
    text = compare(lm, task, repeats=1)
    assert text.count("| ours |") == 5 and text.count("| paper |") == 4 and "sweep, demonstrations kept" in text
    assert growth(tmp_path, lm, task, repeats=1).count("twice the") == 4
    both = compare(lm, task, repeats=1, plain=tiny("llama", torch.float32))
    assert both.count("| ours |") == 5 and both.count("| paper |") == both.count("| library, our kernels |") == 4


def test_make_benchmark_runs_on_a_studys_own_episodes(saved, tmp_path, monkeypatch, capsys):
    """Of several study seeds, as the rules leave them."""
    folder = tmp_path / "results/mine"
    prepare(saved, folder / "weights")
    entries = {"antonyms": {"family": "linguistic", "table": str(ROOT / "data/tasks/antonyms.csv")}}
    counts = {"baseline": 4, "dev": 4, "test": 4}
    sizes = {**counts, "demonstrations": 2, "dummies": 2, "source": None, "repeats": counts}
    episodes, _ = family_episodes(load_tokenizer(folder / "weights"), None, entries, sizes, [0, 1], 1)
    (folder / "episodes").mkdir()
    write_episodes(folder / "episodes/linguistic.jsonl", episodes)
    monkeypatch.chdir(tmp_path)
    main(["--model", "mine", "--task", "antonyms", "--repeats", "1", "--threads", "1"])
    said = capsys.readouterr().out
    assert said.count("| as in this study | ours |") == 2 and "bfloat16" in said
