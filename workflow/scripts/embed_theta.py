"""Rule embed_theta: t-SNE and UMAP pictures of θ at the common layer."""

import pandas as pd

from taskvectors.geometry import embed
from taskvectors.progress import reported, track
from taskvectors.tables import read_csv, write_csv
from taskvectors.thetas import read_thetas

if __name__ == "__main__":
    with reported(snakemake.log[0], "embed_theta"):
        chosen = read_csv(snakemake.input.choice)
        layer = int(chosen["common_layer"].iloc[0])
        theta, tasks, episodes = read_thetas(snakemake.input.theta, chosen["task"], "test")
        methods = snakemake.params.methods
        tables = []
        for method, options in track(methods.items(), len(methods), "embed_theta", unit="picture"):
            xy = embed(theta[:, layer], method, options)
            table = {"model": snakemake.wildcards.model, "family": chosen.set_index("task")["family"][tasks].to_numpy()}
            table |= {
                "task": tasks,
                "method": method,
                "layer": layer,
                "episode": episodes,
                "x": xy[:, 0],
                "y": xy[:, 1],
            }
            tables.append(pd.DataFrame(table))
        write_csv(snakemake.output.embedding, pd.concat(tables, ignore_index=True))
