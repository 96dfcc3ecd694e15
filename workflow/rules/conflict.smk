# θ of one task in prompts of another: the configured pairs, and a matrix of all pairs that share inputs.
rule conflict_episodes:
    input:
        weights="results/{model}/weights",
        tables=beside(STUDY.task_tables(STUDY.conflict_tasks)),
        filtered=collect("results/{{model}}/filter/{family}.csv", family=STUDY.families),
    output:
        episodes="results/{model}/episodes/conflict.jsonl",
    log:
        "results/{model}/logs/conflict_episodes.log",
    conda:
        "../../envs/inference.yaml"
    params:
        *code_of("conflict_episodes.py"),
        tasks={task: STUDY.tasks[task] for task in STUDY.conflict_tasks},
        conflict={**STUDY.config["conflict"], "pairs": STUDY.pairs},
        dummies=STUDY.config["episodes"]["dummies"],
        seed=STUDY.seed,
        answer_tokens=STUDY.answer_tokens,
    message:
        "{wildcards.model}: episodes of conflicting tasks"
    script:
        "../scripts/conflict_episodes.py"


rule sweep_conflict:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/conflict.jsonl",
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
        runtime=minutes_of("sweep_conflict", jobs=1),
    params:
        *code_of("sweep_conflict.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.conflict_tasks),
        without=STUDY.config["conflict"]["transfer"]["episodes"],
        answer_tokens=STUDY.answer_tokens,
    message:
        "{wildcards.model}: patching conflicting tasks at every layer"
    script:
        "../scripts/sweep_conflict.py"


rule conflict_tables:
    input:
        predictions="results/{model}/predictions/sweep_conflict.parquet",
    output:
        conflict=table("conflict"),
        transfer=table("transfer"),
    log:
        "results/{model}/logs/conflict_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("conflict_tables.py"),
        pairs=STUDY.pairs,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: conflicting tasks"
    script:
        "../scripts/conflict_tables.py"
