# Where the θ of different tasks lie: distances, separation, t-SNE and UMAP.
rule geometry:
    input:
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.main_families),
        choice="results/{model}/layer_choice.csv",
    output:
        geometry=table("geometry"),
        distances=table("distances"),
    log:
        "results/{model}/logs/geometry.log",
    benchmark:
        "results/{model}/benchmarks/geometry.tsv"
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("geometry.py"),
        seed=STUDY.seed,
    message:
        "{wildcards.model}: geometry of θ"
    script:
        "../scripts/geometry.py"


rule embed_theta:
    input:
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.main_families),
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.main_families),
        choice="results/{model}/layer_choice.csv",
    output:
        embedding=table("embedding"),
        quality=table("embedding_quality"),
        layers=table("embedding_layers"),
        episodes=table("embedding_episodes"),
    log:
        "results/{model}/logs/embed_theta.log",
    benchmark:
        "results/{model}/benchmarks/embed_theta.tsv"
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("embed_theta.py"),
        seed=STUDY.seed,
        embedding=STUDY.config["embedding"],
    message:
        "{wildcards.model}: t-SNE and UMAP of θ"
    script:
        "../scripts/embed_theta.py"
