# θ of every episode: the residual stream at the last token, after every block, averaged over dummy queries. And what
# it does.
rule extract_theta:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
    output:
        theta="results/{model}/theta/{family}.safetensors",
        predictions="results/{model}/predictions/extract_theta.{family}.parquet",
    log:
        "results/{model}/logs/extract_theta.{family}.log",
    benchmark:
        "results/{model}/benchmarks/extract_theta.{family}.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("extract_theta"),
    params:
        *code_of("extract_theta.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=prefix_by_task,
        answer_tokens=answer_tokens_of_family,
    message:
        "{wildcards.model}: θ of the {wildcards.family} tasks"
    script:
        "../scripts/extract_theta.py"


rule accuracy:
    input:
        predictions=collect(
            "results/{{model}}/predictions/{stage}.{family}.parquet",
            stage=["extract_theta", "sweep_layers", "constant_answers", "patch_variants"],
            family=STUDY.families,
        ),
        choice="results/{model}/layer_choice.csv",
        choices="results/{model}/layers/choices.parquet",
    output:
        accuracy=table("accuracy"),
        differences=table("differences"),
        seeds=table("seeds"),
        seed_spread=table("seed_spread"),
        predictions="results/{model}/predictions.parquet",
        chosen="results/{model}/layers/chosen.parquet",
    log:
        "results/{model}/logs/accuracy.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("accuracy.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: accuracy on test episodes"
    script:
        "../scripts/accuracy.py"


rule summary:
    input:
        accuracy=of_all_models("accuracy"),
        published=published(["main_results"]),
    output:
        summary=table("summary"),
    log:
        "results/logs/summary.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("summary.py"),
        config={"models": STUDY.models},
    message:
        "Summary: ours and the paper's"
    script:
        "../scripts/summary.py"
