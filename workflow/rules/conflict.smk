# θ of one task in prompts of another: the conflicting pairs asked for, and a matrix of all pairs whose inputs fit.
CONFLICT_TASKS = list(dict.fromkeys(task for pair in PAIRS for task in pair))
if TRANSFER:
    CONFLICT_TASKS += [task for task in MAIN_TASKS if task not in CONFLICT_TASKS]


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
        seed=SEED,
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
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("sweep_conflict"),
    params:
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        device=lookup(dpath="models/{model}/device", within=config),
        prefix={task: PREFIX_SCORED[task] for task in CONFLICT_TASKS},
        without=lookup(dpath="conflict/transfer/episodes", within=config),
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
        transfer=report(
            "results/{model}/transfer.csv",
            caption="../report/transfer.rst",
            category="Conflicting tasks",
            labels={"model": "{model}", "table": "transfer of θ between tasks"},
        ),
    log:
        "results/{model}/logs/conflict.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        pairs=PAIRS,
    message:
        "{wildcards.model}: conflicting tasks"
    script:
        "../scripts/conflict.py"
