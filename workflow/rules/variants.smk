# What might do as well as θ, or better: other vectors in its place, and answers that need no model.
rule constant_answers:
    input:
        episodes="results/{model}/episodes/{family}.jsonl",
    output:
        predictions="results/{model}/predictions/constant_answers.{family}.parquet",
    log:
        "results/{model}/logs/constant_answers.{family}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("constant_answers.py"),
        prefix=prefix_by_task,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: constant answers, {wildcards.family} tasks"
    script:
        "../scripts/constant_answers.py"


rule patch_variants:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
        theta=lambda wildcards: [
            f"results/{wildcards.model}/theta/{family}.safetensors"
            for family in dict.fromkeys([*STUDY.main_families, wildcards.family])
        ],
        choice="results/{model}/layer_choice.csv",
    output:
        predictions="results/{model}/predictions/patch_variants.{family}.parquet",
        divergences="results/{model}/divergences/{family}.parquet",
    log:
        "results/{model}/logs/patch_variants.{family}.log",
    benchmark:
        "results/{model}/benchmarks/patch_variants.{family}.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("patch_variants"),
    params:
        *code_of("patch_variants.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix=prefix_by_task,
        answer_tokens=STUDY.answer_tokens,
        forming_episodes=STUDY.config["formation"]["episodes"],
        seed=STUDY.seed,
    message:
        "{wildcards.model}: other vectors in place of θ, {wildcards.family} tasks"
    script:
        "../scripts/patch_variants.py"
