# The report: conclusions from the tables; a notebook executed on tables and figures, then rendered to one self-contained page.
EVIDENCE = ["layer_choice", "layer_sweep", "differences", "controls", "limits", "conflict", "transfer", "geometry"]
EVIDENCE += ["decoded_ranks"]


localrules:
    conclusions,
    latex_tables,
    study_page,


rule conclusions:
    input:
        **{table: of_all_models(table) for table in EVIDENCE},
        library=library("scripts/conclusions.py"),
    output:
        conclusions=report(
            f"{TABLES}/conclusions.csv",
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
        conclusions=f"{TABLES}/conclusions.csv",
        provenance=f"{TABLES}/provenance.json",
        resources=f"{TABLES}/resources.csv",
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
        published_distances="data/paper/distances.csv",
        schematic="workflow/report/page/method.svg",
        library=library("notebooks/study.py.ipynb"),
    output:
        summary=report(
            f"{TABLES}/summary.csv",
            caption="../report/study.rst",
            category="Accuracy",
            labels={"model": "all", "table": "ours and the paper's"},
        ),
    log:
        notebook=f"{TABLES}/logs/study.ipynb",
    conda:
        "../../envs/report.yaml"
    params:
        config={key: value for key, value in config.items() if key != "compute"},
        figures=FIGURES,
    message:
        "Report: executing the notebook"
    notebook:
        "../notebooks/study.py.ipynb"


# For a paper.
IN_LATEX = ["layer_choice", "accuracy", "controls", "differences", "views", "limits", "transfer"]


rule latex_tables:
    input:
        **{table: of_all_models(table) for table in IN_LATEX},
        conclusions=f"{TABLES}/conclusions.csv",
        published="data/paper/main_results.csv",
        library=library("scripts/latex_tables.py"),
    output:
        collect(
            "reports/tables/{table}.tex",
            table=["accuracy", "summary", "controls", "differences", "views", "limits", "transfer", "conclusions"],
        ),
    log:
        "results/logs/latex_tables.log",
    conda:
        "../../envs/report.yaml"
    params:
        tables=IN_LATEX,
        config={key: config[key] for key in ("models", "tasks")},
    message:
        "Tables in LaTeX"
    script:
        "../scripts/latex_tables.py"


rule study_page:
    input:
        summary=f"{TABLES}/summary.csv",
        template=collect("workflow/report/page/{file}", file=["index.html.j2", "page.css", "page.js", "conf.json"]),
    output:
        "reports/study.html",
    log:
        "results/logs/study_page.log",
    conda:
        "../../envs/report.yaml"
    params:
        notebook=f"{TABLES}/logs/study.ipynb",
    message:
        "Report: rendering {output}"
    shell:
        "jupyter nbconvert {params.notebook} --to html --template page"
        " --TemplateExporter.extra_template_basedirs=workflow/report --HTMLExporter.exclude_anchor_links=True"
        " --output-dir reports --output study.html > {log} 2>&1"
