# What shakes θ: templates, wrong answers, the number of demonstrations, instructions.
rule robustness:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.main_families),
        choice="results/{model}/layer_choice.csv",
    output:
        observations="results/{model}/predictions/robustness.parquet",
    log:
        "results/{model}/logs/robustness.log",
    benchmark:
        "results/{model}/benchmarks/robustness.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("robustness", jobs=1),
    params:
        *code_of("robustness.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.main_tasks),
        drawn_anew=STUDY.drawn_anew,
        settings=STUDY.settings_of("robustness"),
        seed=STUDY.seed,
    message:
        "{wildcards.model}: what shakes θ"
    script:
        "../scripts/robustness.py"


rule robustness_tables:
    input:
        observations="results/{model}/predictions/robustness.parquet",
        choice="results/{model}/layer_choice.csv",
    output:
        robustness=table("robustness"),
    log:
        "results/{model}/logs/robustness_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("robustness_tables.py"),
        kinds=STUDY.kinds,
        shown=STUDY.config["episodes"]["demonstrations"],
        seed=STUDY.seed,
    message:
        "{wildcards.model}: what shakes θ, by task"
    script:
        "../scripts/robustness_tables.py"
