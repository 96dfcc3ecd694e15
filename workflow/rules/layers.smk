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
    threads: lookup(dpath="compute/threads", within=config)
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
    message:
        "{wildcards.model}: choosing layers on dev episodes"
    script:
        "../scripts/choose_layer.py"


rule sweep_controls:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
        theta="results/{model}/theta/{family}.safetensors",
        choice="results/{model}/layer_choice.csv",
        library=library("scripts/sweep_controls.py"),
    output:
        predictions="results/{model}/predictions/sweep_controls.{family}.parquet",
    log:
        "results/{model}/logs/sweep_controls.{family}.log",
    benchmark:
        "results/{model}/benchmarks/sweep_controls.{family}.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: lookup(dpath="compute/threads", within=config)
    params:
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        device=lookup(dpath="models/{model}/device", within=config),
        prefix=prefix_by_task,
        answer_tokens=lookup(dpath="scoring/answer_tokens", within=config),
        seed=lookup(dpath="study/seed", within=config),
    message:
        "{wildcards.model}: controls of the {wildcards.family} tasks"
    script:
        "../scripts/sweep_controls.py"


rule accuracy:
    input:
        predictions=collect(
            "results/{{model}}/predictions/{stage}.{family}.parquet",
            stage=["extract_theta", "sweep_layers", "sweep_controls"],
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
        predictions="results/{model}/predictions.parquet",
    log:
        "results/{model}/logs/accuracy.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        families=FAMILY_OF,
        seed=lookup(dpath="study/seed", within=config),
    message:
        "{wildcards.model}: accuracy on test episodes"
    script:
        "../scripts/accuracy.py"
