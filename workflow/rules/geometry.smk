# Where the θ of different tasks lie: distances, separation, t-SNE and UMAP.
rule geometry:
    input:
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=MAIN_FAMILIES),
        choice="results/{model}/layer_choice.csv",
        library=library("scripts/geometry.py"),
    output:
        geometry=report(
            "results/{model}/geometry.csv",
            caption="../report/geometry.rst",
            category="Geometry",
            labels={"model": "{model}", "table": "distances and separation by layer"},
        ),
        distances="results/{model}/distances.csv",
    log:
        "results/{model}/logs/geometry.log",
    benchmark:
        "results/{model}/benchmarks/geometry.tsv"
    conda:
        "../../envs/analysis.yaml"
    params:
        seed=SEED,
    message:
        "{wildcards.model}: geometry of θ"
    script:
        "../scripts/geometry.py"


rule embed_theta:
    input:
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=MAIN_FAMILIES),
        choice="results/{model}/layer_choice.csv",
        library=library("scripts/embed_theta.py"),
    output:
        embedding="results/{model}/embedding.csv",
        quality=report(
            "results/{model}/embedding_quality.csv",
            caption="../report/embedding_quality.rst",
            category="Geometry",
            labels={"model": "{model}", "table": "trustworthiness of the pictures"},
        ),
    log:
        "results/{model}/logs/embed_theta.log",
    benchmark:
        "results/{model}/benchmarks/embed_theta.tsv"
    conda:
        "../../envs/analysis.yaml"
    params:
        embedding=lookup(dpath="embedding", within=config),
    message:
        "{wildcards.model}: t-SNE and UMAP of θ"
    script:
        "../scripts/embed_theta.py"
