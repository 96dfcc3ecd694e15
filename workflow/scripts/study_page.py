"""Rule study_page: the executed notebook as one self-contained page."""

from pathlib import Path

from nbconvert import HTMLExporter

from taskvectors.files import write_text
from taskvectors.progress import reported

if __name__ == "__main__":
    with reported(snakemake.log[0], "study_page"):
        template = Path(snakemake.input.template[0]).parent
        exporter = HTMLExporter(template_name=template.name, extra_template_basedirs=[str(template.parent)], exclude_anchor_links=True)
        page, _ = exporter.from_filename(snakemake.input.notebook)
        write_text(snakemake.output.page, page)
