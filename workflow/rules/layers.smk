# Where θ lives: patch at every layer, choose on dev, report on test.
rule sweep_layers:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
        theta="results/{model}/theta/{family}.safetensors",
    output:
        predictions="results/{model}/predictions/sweep_layers.{family}.parquet",
    log:
        "results/{model}/logs/sweep_layers.{family}.log",
    benchmark:
        "results/{model}/benchmarks/sweep_layers.{family}.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("sweep_layers"),
    params:
        *code_of("sweep_layers.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=prefix_by_task,
        answer_tokens=answer_tokens_of_family,
    message:
        "{wildcards.model}: layer sweep of the {wildcards.family} tasks"
    script:
        "../scripts/sweep_layers.py"


rule choose_layer:
    input:
        predictions=collect(
            "results/{{model}}/predictions/{stage}.{family}.parquet",
            stage=["sweep_layers", "extract_theta", "constant_answers"],
            family=STUDY.families,
        ),
    output:
        sweep=table("layer_sweep"),
        choice=table("layer_choice"),
        choices="results/{model}/layers/choices.parquet",
    log:
        "results/{model}/logs/choose_layer.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("choose_layer.py"),
        kinds=STUDY.kinds,
        bijections=STUDY.bijections,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: choosing layers on dev episodes"
    script:
        "../scripts/choose_layer.py"


rule layer_views:
    input:
        chosen="results/{model}/layers/chosen.parquet",
        accuracy="results/{model}/accuracy.csv",
        choice="results/{model}/layer_choice.csv",
    output:
        views=table("views"),
    log:
        "results/{model}/logs/layer_views.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("layer_views.py"),
        seed=STUDY.seed,
    message:
        "{wildcards.model}: accuracy by layer choice, over all tasks and over those that the paper shows"
    script:
        "../scripts/layer_views.py"
