# Is reading demonstrations gradient descent on θ?
rule gradient:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.main_families),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.main_families),
        choice="results/{model}/layer_choice.csv",
    output:
        observations="results/{model}/predictions/gradient.parquet",
    log:
        "results/{model}/logs/gradient.log",
    benchmark:
        "results/{model}/benchmarks/gradient.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=lambda wildcards, attempt: model_memory(wildcards, attempt, "gradient"),
        gpu=model_gpus,
        runtime=minutes_of("gradient", jobs=1),
    params:
        *code_of("gradient.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.main_tasks),
        settings=STUDY.settings_of("gradient"),
        answer_tokens=STUDY.answer_tokens,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: θ beside gradient descent"
    script:
        "../scripts/gradient.py"


rule gradient_tables:
    input:
        observations="results/{model}/predictions/gradient.parquet",
    output:
        gradient=table("gradient"),
    log:
        "results/{model}/logs/gradient_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("gradient_tables.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: θ against gradient descent"
    script:
        "../scripts/gradient_tables.py"
