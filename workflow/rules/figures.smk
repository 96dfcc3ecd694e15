# Figures of all models together, from tables alone.
FIGURES = [
    "accuracy_bars",
    "layer_curves",
    "layer_choice",
    "accuracy_by_task",
    "formation",
    "embedding",
    "embedding_seeds",
]
FIGURES += ["separation", "distances", "answer_ranks"]
FIGURES += ["limits"] if LIMITS_TASKS else []
FIGURES += ["conflict"] if PAIRS else []
FIGURES += ["transfer"] if TRANSFER else []


# Seconds each: on a cluster they would wait longer than they take.
localrules:
    figure_accuracy_bars,
    figure_layer_curves,
    figure_layer_choice,
    figure_accuracy_by_task,
    figure_limits,
    figure_formation,
    figure_conflict,
    figure_transfer,
    figure_embedding,
    figure_embedding_seeds,
    figure_separation,
    figure_distances,
    figure_answer_ranks,


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
        multiext("reports/figures/accuracy_bars", ".pdf", ".png", ".csv"),
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
        multiext("reports/figures/layer_curves", ".pdf", ".png", ".csv"),
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


rule figure_layer_choice:
    input:
        views=of_all_models("views"),
        library=library("scripts/figure_layer_choice.py"),
    output:
        report(
            "reports/figures/layer_choice.svg",
            caption="../report/figure_layer_choice.rst",
            category="Layers",
            labels={"model": "all", "figure": "accuracy by layer choice"},
        ),
        multiext("reports/figures/layer_choice", ".pdf", ".png", ".csv"),
    log:
        "results/logs/figure_layer_choice.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
    message:
        "Figure: accuracy by layer choice"
    script:
        "../scripts/figure_layer_choice.py"


rule figure_accuracy_by_task:
    input:
        accuracy=of_all_models("accuracy"),
        controls=of_all_models("controls"),
        choice=of_all_models("layer_choice"),
        library=library("scripts/figure_accuracy_by_task.py"),
    output:
        report(
            "reports/figures/accuracy_by_task.svg",
            caption="../report/figure_accuracy_by_task.rst",
            category="Accuracy",
            labels={"model": "all", "figure": "accuracy by task"},
        ),
        multiext("reports/figures/accuracy_by_task", ".pdf", ".png", ".csv"),
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


rule figure_limits:
    input:
        limits=of_all_models("limits"),
        controls=of_all_models("controls"),
        library=library("scripts/figure_limits.py"),
    output:
        report(
            "reports/figures/limits.svg",
            caption="../report/figure_limits.rst",
            category="Limits",
            labels={"model": "all", "figure": "tasks that one vector may not hold"},
        ),
        multiext("reports/figures/limits", ".pdf", ".png", ".csv"),
    log:
        "results/logs/figure_limits.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
        tasks=TASK_LABELS,
    message:
        "Figure: tasks that one vector may not hold"
    script:
        "../scripts/figure_limits.py"


rule figure_formation:
    input:
        formation=of_all_models("formation"),
        variance=of_all_models("theta_variance"),
        accuracy=of_all_models("accuracy"),
        library=library("scripts/figure_formation.py"),
    output:
        report(
            "reports/figures/formation.svg",
            caption="../report/figure_formation.rst",
            category="Formation",
            labels={"model": "all", "figure": "how θ forms"},
        ),
        multiext("reports/figures/formation", ".pdf", ".png", ".csv"),
    log:
        "results/logs/figure_formation.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
    message:
        "Figure: how θ forms"
    script:
        "../scripts/figure_formation.py"


rule figure_conflict:
    input:
        conflict=of_all_models("conflict"),
        controls=of_all_models("controls"),
        library=library("scripts/figure_conflict.py"),
    output:
        report(
            "reports/figures/conflict.svg",
            caption="../report/figure_conflict.rst",
            category="Conflicting tasks",
            labels={"model": "all", "figure": "conflicting tasks by layer"},
        ),
        multiext("reports/figures/conflict", ".pdf", ".png", ".csv"),
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


rule figure_transfer:
    input:
        transfer=of_all_models("transfer"),
        accuracy=of_all_models("accuracy"),
        controls=of_all_models("controls"),
        choice=of_all_models("layer_choice"),
        library=library("scripts/figure_transfer.py"),
    output:
        report(
            "reports/figures/transfer.svg",
            caption="../report/figure_transfer.rst",
            category="Conflicting tasks",
            labels={"model": "all", "figure": "transfer of θ between tasks"},
        ),
        multiext("reports/figures/transfer", ".pdf", ".png", ".csv"),
    log:
        "results/logs/figure_transfer.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
        tasks=TASK_LABELS,
    message:
        "Figure: transfer of θ between tasks"
    script:
        "../scripts/figure_transfer.py"


rule figure_embedding:
    input:
        embedding=of_all_models("embedding"),
        quality=of_all_models("embedding_quality"),
        controls=of_all_models("controls"),
        library=library("scripts/figure_embedding.py"),
    output:
        report(
            "reports/figures/embedding.svg",
            caption="../report/figure_embedding.rst",
            category="Geometry",
            labels={"model": "all", "figure": "t-SNE and UMAP of θ"},
        ),
        multiext("reports/figures/embedding", ".pdf", ".png", ".csv"),
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


rule figure_embedding_seeds:
    input:
        embedding=of_all_models("embedding"),
        quality=of_all_models("embedding_quality"),
        library=library("scripts/figure_embedding_seeds.py"),
    output:
        report(
            "reports/figures/embedding_seeds.svg",
            caption="../report/figure_embedding_seeds.rst",
            category="Geometry",
            labels={"model": "all", "figure": "t-SNE and UMAP at every seed"},
        ),
        multiext("reports/figures/embedding_seeds", ".pdf", ".png", ".csv"),
    log:
        "results/logs/figure_embedding_seeds.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
    message:
        "Figure: t-SNE and UMAP at every seed"
    script:
        "../scripts/figure_embedding_seeds.py"


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
        multiext("reports/figures/separation", ".pdf", ".png", ".csv"),
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


rule figure_distances:
    input:
        distances=of_all_models("distances"),
        controls=of_all_models("controls"),
        library=library("scripts/figure_distances.py"),
    output:
        report(
            "reports/figures/distances.svg",
            caption="../report/figure_distances.rst",
            category="Geometry",
            labels={"model": "all", "figure": "cosine distances"},
        ),
        multiext("reports/figures/distances", ".pdf", ".png", ".csv"),
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


rule figure_answer_ranks:
    input:
        ranks=of_all_models("decoded_ranks"),
        library=library("scripts/figure_answer_ranks.py"),
    output:
        report(
            "reports/figures/answer_ranks.svg",
            caption="../report/figure_answer_ranks.rst",
            category="Decoding",
            labels={"model": "all", "figure": "ranks of answers by layer"},
        ),
        multiext("reports/figures/answer_ranks", ".pdf", ".png", ".csv"),
    log:
        "results/logs/figure_answer_ranks.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=MODEL_LABELS,
    message:
        "Figure: ranks of answers by layer"
    script:
        "../scripts/figure_answer_ranks.py"
