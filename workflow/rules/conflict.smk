# Conflicting tasks: a prompt of task A, demonstrations kept, patched with θ of task B.
CONFLICT_TASKS = list(dict.fromkeys(task for pair in PAIRS for task in pair))


rule conflict_episodes:
    input:
        weights="results/{model}/weights",
        tables=tables(CONFLICT_TASKS),
        library=library("scripts/conflict_episodes.py"),
    output:
        episodes="results/{model}/episodes/conflict.jsonl",
    log:
        "results/{model}/logs/conflict_episodes.log",
    conda:
        "../../envs/inference.yaml"
    params:
        tasks={task: config["tasks"][task] for task in CONFLICT_TASKS},
        conflict={**config["conflict"], "pairs": PAIRS},
        dummies=lookup(dpath="episodes/dummies", within=config),
        seed=lookup(dpath="study/seed", within=config),
        answer_tokens=lookup(dpath="scoring/answer_tokens", within=config),
    message:
        "{wildcards.model}: episodes of conflicting tasks"
    script:
        "../scripts/conflict_episodes.py"


rule sweep_conflict:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/conflict.jsonl",
        library=library("scripts/sweep_conflict.py"),
    output:
        predictions="results/{model}/predictions/sweep_conflict.parquet",
    log:
        "results/{model}/logs/sweep_conflict.log",
    benchmark:
        "results/{model}/benchmarks/sweep_conflict.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: lookup(dpath="compute/threads", within=config)
    params:
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        device=lookup(dpath="models/{model}/device", within=config),
        prefix={task: PREFIX_SCORED[task] for task in CONFLICT_TASKS},
        answer_tokens=lookup(dpath="scoring/answer_tokens", within=config),
    message:
        "{wildcards.model}: patching conflicting tasks at every layer"
    script:
        "../scripts/sweep_conflict.py"


rule conflict:
    input:
        predictions="results/{model}/predictions/sweep_conflict.parquet",
        library=library("scripts/conflict.py"),
    output:
        table=report(
            "results/{model}/conflict.csv",
            caption="../report/conflict.rst",
            category="Conflicting tasks",
            labels={"model": "{model}", "table": "conflicting tasks by layer"},
        ),
    log:
        "results/{model}/logs/conflict.log",
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.model}: conflicting tasks"
    script:
        "../scripts/conflict.py"
