# Figures of all models together, from tables alone.
MODEL_LABELS = {model: config["models"][model]["label"] for model in MODELS}
TASK_LABELS = {task: config["tasks"][task]["label"] for task in TASKS}
FIGURES = ["accuracy_bars", "layer_curves", "accuracy_by_task", "embedding", "distances", "separation"]
FIGURES += ["conflict"] if PAIRS else []


rule figure_accuracy_bars:
    input:
        accuracy=of_all_models("accuracy"),
        published="data/paper/main_results.csv",
        library=library("scripts/figure_accuracy_bars.py"),
    output:
        report(
            "reports/figures/accuracy_bars.svg",
            caption="../report/figure_accuracy_bars.rst",
            category="Accuracy",
            labels={"model": "all", "figure": "mean accuracy by method"},
        ),
        "reports/figures/accuracy_bars.png",
    log:
        "results/logs/figure_accuracy_bars.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
    message:
        "Figure: mean accuracy by method"
    script:
        "../scripts/figure_accuracy_bars.py"


rule figure_layer_curves:
    input:
        sweep=of_all_models("layer_sweep"),
        published="data/paper/layer_curves.csv",
        library=library("scripts/figure_layer_curves.py"),
    output:
        report(
            "reports/figures/layer_curves.svg",
            caption="../report/figure_layer_curves.rst",
            category="Layers",
            labels={"model": "all", "figure": "accuracy by layer"},
        ),
        "reports/figures/layer_curves.png",
    log:
        "results/logs/figure_layer_curves.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
    message:
        "Figure: accuracy by layer"
    script:
        "../scripts/figure_layer_curves.py"


rule figure_accuracy_by_task:
    input:
        accuracy=of_all_models("accuracy"),
        controls=of_all_models("controls"),
        library=library("scripts/figure_accuracy_by_task.py"),
    output:
        report(
            "reports/figures/accuracy_by_task.svg",
            caption="../report/figure_accuracy_by_task.rst",
            category="Accuracy",
            labels={"model": "all", "figure": "accuracy by task"},
        ),
        "reports/figures/accuracy_by_task.png",
    log:
        "results/logs/figure_accuracy_by_task.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
        tasks=TASK_LABELS,
    message:
        "Figure: accuracy by task"
    script:
        "../scripts/figure_accuracy_by_task.py"


rule figure_embedding:
    input:
        embedding=of_all_models("embedding"),
        library=library("scripts/figure_embedding.py"),
    output:
        report(
            "reports/figures/embedding.svg",
            caption="../report/figure_embedding.rst",
            category="Geometry",
            labels={"model": "all", "figure": "t-SNE and UMAP of θ"},
        ),
        "reports/figures/embedding.png",
    log:
        "results/logs/figure_embedding.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
        tasks=TASK_LABELS,
    message:
        "Figure: t-SNE and UMAP of θ"
    script:
        "../scripts/figure_embedding.py"


rule figure_distances:
    input:
        distances=of_all_models("distances"),
        library=library("scripts/figure_distances.py"),
    output:
        report(
            "reports/figures/distances.svg",
            caption="../report/figure_distances.rst",
            category="Geometry",
            labels={"model": "all", "figure": "cosine distances"},
        ),
        "reports/figures/distances.png",
    log:
        "results/logs/figure_distances.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
        tasks=TASK_LABELS,
    message:
        "Figure: cosine distances"
    script:
        "../scripts/figure_distances.py"


rule figure_separation:
    input:
        geometry=of_all_models("geometry"),
        sweep=of_all_models("layer_sweep"),
        library=library("scripts/figure_separation.py"),
    output:
        report(
            "reports/figures/separation.svg",
            caption="../report/figure_separation.rst",
            category="Geometry",
            labels={"model": "all", "figure": "separation by layer"},
        ),
        "reports/figures/separation.png",
    log:
        "results/logs/figure_separation.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
    message:
        "Figure: separation by layer"
    script:
        "../scripts/figure_separation.py"


rule figure_conflict:
    input:
        conflict=of_all_models("conflict"),
        library=library("scripts/figure_conflict.py"),
    output:
        report(
            "reports/figures/conflict.svg",
            caption="../report/figure_conflict.rst",
            category="Conflicting tasks",
            labels={"model": "all", "figure": "conflicting tasks by layer"},
        ),
        "reports/figures/conflict.png",
    log:
        "results/logs/figure_conflict.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
        tasks=TASK_LABELS,
    message:
        "Figure: conflicting tasks by layer"
    script:
        "../scripts/figure_conflict.py"
