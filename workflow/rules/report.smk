# The report: conclusions from the tables; a notebook executed on tables and figures, then rendered to one self-contained page.
EVIDENCE = ["layer_choice", "layer_sweep", "differences", "controls", "limits", "conflict", "transfer", "geometry"]
EVIDENCE += ["decoded_ranks"]


rule conclusions:
    input:
        **{table: of_all_models(table) for table in EVIDENCE},
        library=library("scripts/conclusions.py"),
    output:
        conclusions=report(
            "results/conclusions.csv",
            caption="../report/conclusions.rst",
            category="Conclusions",
            labels={"model": "all", "table": "claims and verdicts"},
        ),
    log:
        "results/logs/conclusions.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        tables=EVIDENCE,
        tasks=TASK_LABELS,
    message:
        "Conclusions"
    script:
        "../scripts/conclusions.py"


rule study_notebook:
    input:
        figures=collect("reports/figures/{figure}.svg", figure=FIGURES),
        accuracy=of_all_models("accuracy"),
        controls=of_all_models("controls"),
        differences=of_all_models("differences"),
        choice=of_all_models("layer_choice"),
        conclusions="results/conclusions.csv",
        views=of_all_models("views"),
        spread=of_all_models("seed_spread"),
        limits=of_all_models("limits"),
        conflict=of_all_models("conflict"),
        transfer=of_all_models("transfer"),
        formation=of_all_models("formation"),
        geometry=of_all_models("geometry"),
        quality=of_all_models("embedding_quality"),
        ranks=of_all_models("decoded_ranks"),
        tokens=of_all_models("decoded_tokens"),
        filtered=of_all_models("filter"),
        published="data/paper/main_results.csv",
        published_conflict="data/paper/conflicting_tasks.csv",
        style="workflow/report/page.css",
        library=library("notebooks/study.py.ipynb"),
    output:
        summary=report(
            "results/summary.csv",
            caption="../report/study.rst",
            category="Accuracy",
            labels={"model": "all", "table": "ours and the paper's"},
        ),
    log:
        notebook="results/logs/study.ipynb",
    conda:
        "../../envs/report.yaml"
    params:
        config={key: value for key, value in config.items() if key != "compute"},
    message:
        "Report: executing the notebook"
    notebook:
        "../notebooks/study.py.ipynb"


rule study_page:
    input:
        "results/summary.csv",
    output:
        "reports/study.html",
    log:
        "results/logs/study_page.log",
    conda:
        "../../envs/report.yaml"
    message:
        "Report: rendering {output}"
    shell:
        "jupyter nbconvert results/logs/study.ipynb --to html --no-input --embed-images"
        " --HTMLExporter.require_js_url= --HTMLExporter.mathjax_url= --HTMLExporter.mermaid_js_url="
        " --TemplateExporter.exclude_input_prompt=True"
        " --output-dir reports --output study.html > {log} 2>&1"
