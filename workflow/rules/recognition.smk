# What θ takes from the demonstrations: that they are of the task, or what they say.
rule recognition:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.main_families),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.main_families),
        choice="results/{model}/layer_choice.csv",
    output:
        observations="results/{model}/predictions/recognition.parquet",
    log:
        "results/{model}/logs/recognition.log",
    benchmark:
        "results/{model}/benchmarks/recognition.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("recognition", jobs=1),
    params:
        *code_of("recognition.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.main_tasks),
        settings=STUDY.settings_of("recognition"),
        answer_tokens=STUDY.answer_tokens,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: recognition or learning"
    script:
        "../scripts/recognition.py"


rule recognition_tables:
    input:
        observations="results/{model}/predictions/recognition.parquet",
        choice="results/{model}/layer_choice.csv",
    output:
        recognition=table("recognition"),
    log:
        "results/{model}/logs/recognition_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("recognition_tables.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: parts of the effect of θ"
    script:
        "../scripts/recognition_tables.py"
