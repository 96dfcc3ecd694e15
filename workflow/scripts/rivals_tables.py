"""Rule rivals_tables: rivals of θ side by side, effects of heads, and what is lost without the strongest."""

from taskvectors.job import current_job
from taskvectors.questions.rivals.tables import ablation, head_effects, rivals
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        model, kinds, seed = job.wildcards.model, job.params.kinds, job.params.seed
        write_csv(job.output.rivals, rivals(read_parquets([job.input.predictions]), model, kinds, seed))
        write_csv(job.output.heads, head_effects(read_parquets([job.input.effects]), model, seed))
        write_csv(job.output.ablation, ablation(read_parquets([job.input.ablated]), model, kinds, seed))
