# Where θ lives: patch at every layer, choose on dev, report on test.
rule sweep_layers:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
        theta="results/{model}/theta/{family}.safetensors",
        library=library("scripts/sweep_layers.py"),
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
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        device=lookup(dpath="models/{model}/device", within=config),
        prefix=prefix_by_task,
        answer_tokens=lookup(dpath="scoring/answer_tokens", within=config),
    message:
        "{wildcards.model}: layer sweep of the {wildcards.family} tasks"
    script:
        "../scripts/sweep_layers.py"


rule choose_layer:
    input:
        predictions=collect("results/{{model}}/predictions/sweep_layers.{family}.parquet", family=FAMILIES),
        library=library("scripts/choose_layer.py"),
    output:
        sweep=report(
            "results/{model}/layer_sweep.csv",
            caption="../report/layer_sweep.rst",
            category="Layers",
            labels={"model": "{model}", "table": "accuracy by layer"},
        ),
        choice=report(
            "results/{model}/layer_choice.csv",
            caption="../report/layer_choice.rst",
            category="Layers",
            labels={"model": "{model}", "table": "layer choice"},
        ),
    log:
        "results/{model}/logs/choose_layer.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        families=FAMILY_OF,
        seed=SEED,
    message:
        "{wildcards.model}: choosing layers on dev episodes"
    script:
        "../scripts/choose_layer.py"


rule patch_variants:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
        theta="results/{model}/theta/{family}.safetensors",
        of_all=collect("results/{{model}}/theta/{family}.safetensors", family=MAIN_FAMILIES),
        choice="results/{model}/layer_choice.csv",
        library=library("scripts/patch_variants.py"),
    output:
        predictions="results/{model}/predictions/patch_variants.{family}.parquet",
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
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        device=lookup(dpath="models/{model}/device", within=config),
        prefix=prefix_by_task,
        answer_tokens=lookup(dpath="scoring/answer_tokens", within=config),
        forming_episodes=lookup(dpath="formation/episodes", within=config),
        seed=SEED,
    message:
        "{wildcards.model}: other vectors in place of θ, {wildcards.family} tasks"
    script:
        "../scripts/patch_variants.py"


rule accuracy:
    input:
        predictions=collect(
            "results/{{model}}/predictions/{stage}.{family}.parquet",
            stage=["extract_theta", "sweep_layers", "patch_variants"],
            family=FAMILIES,
        ),
        choice="results/{model}/layer_choice.csv",
        library=library("scripts/accuracy.py"),
    output:
        accuracy=report(
            "results/{model}/accuracy.csv",
            caption="../report/accuracy.rst",
            category="Accuracy",
            labels={"model": "{model}", "table": "accuracy by method"},
        ),
        controls=report(
            "results/{model}/controls.csv",
            caption="../report/controls.rst",
            category="Accuracy",
            labels={"model": "{model}", "table": "controls"},
        ),
        differences=report(
            "results/{model}/differences.csv",
            caption="../report/differences.rst",
            category="Accuracy",
            labels={"model": "{model}", "table": "paired differences"},
        ),
        views=report(
            "results/{model}/views.csv",
            caption="../report/views.rst",
            category="Accuracy",
            labels={"model": "{model}", "table": "all tasks and the paper's view"},
        ),
        limits=report(
            "results/{model}/limits.csv",
            caption="../report/limits.rst",
            category="Limits",
            labels={"model": "{model}", "table": "tasks that one vector may not hold"},
        ),
        seeds="results/{model}/seeds.csv",
        spread=report(
            "results/{model}/seed_spread.csv",
            caption="../report/seed_spread.rst",
            category="Accuracy",
            labels={"model": "{model}", "table": "spread over study seeds"},
        ),
        predictions="results/{model}/predictions.parquet",
    log:
        "results/{model}/logs/accuracy.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        families=FAMILY_OF,
        seed=SEED,
        limits=LIMITS_TASKS,
        bijections=[task for task in LIMITS_TASKS if "bijection_of" in config["tasks"][task]],
    message:
        "{wildcards.model}: accuracy on test episodes"
    script:
        "../scripts/accuracy.py"
