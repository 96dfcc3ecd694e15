"""Tables for a paper in LaTeX (packages booktabs and longtable)."""

import pandas as pd

# What is outside the fonts of plain LaTeX; applied after escaping.
SYMBOLS = {
    "θ": r"$\theta$",
    "→": r"$\rightarrow$",
    "↔": r"$\leftrightarrow$",
    "−": "$-$",
    "≥": r"$\geq$",
    "†": r"\dag{}",
    "₀": r"$_0$",
    "α": r"$\alpha$",
    "∇": r"$\nabla$",
}
SYMBOLS |= {"–": "--"}
ESCAPED = str.maketrans({character: f"\\{character}" for character in "&%$#_{}"})  # of captions; pandas escapes cells


def latex_table(table: pd.DataFrame, name: str, caption: str) -> str:
    """A longtable with the label `tab:<name>`; every cell is escaped, numbers have two digits."""
    if table.empty:
        return f"% {name}: this study has no such rows.\n"
    text = table.rename_axis(columns=None).to_latex(
        index=False,
        escape=True,
        float_format="%.2f",
        na_rep="–",
        longtable=True,
        label=f"tab:{name}",
        caption=caption.translate(ESCAPED),
    )
    for symbol, command in SYMBOLS.items():
        text = text.replace(symbol, command)
    return f"% \\usepackage{{booktabs,longtable}}\n{text}"
