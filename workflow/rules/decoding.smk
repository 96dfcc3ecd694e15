# The tokens that θ points to.
rule decode_theta:
    input:
        weights="results/{model}/weights",
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=FAMILIES),
        choice="results/{model}/layer_choice.csv",
        library=library("scripts/decode_theta.py"),
    output:
        tokens=report(
            "results/{model}/decoded_tokens.csv",
            caption="../report/decoded_tokens.rst",
            category="Decoding",
            labels={"model": "{model}", "table": "top tokens of θ"},
        ),
    log:
        "results/{model}/logs/decode_theta.log",
    benchmark:
        "results/{model}/benchmarks/decode_theta.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: lookup(dpath="compute/threads", within=config)
    params:
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        device=lookup(dpath="models/{model}/device", within=config),
        decoding=lookup(dpath="decoding", within=config),
    message:
        "{wildcards.model}: decoding θ to tokens"
    script:
        "../scripts/decode_theta.py"
