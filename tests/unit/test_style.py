"""The style sheet of the figures beside the theme that it writes out."""

import matplotlib as mpl
import pytest
import seaborn as sns
from matplotlib.colors import to_hex

from taskvectors.drawing.style import SHEET, set_style

# One font that comes with matplotlib is named instead, and every map where it is used.
LEFT_OUT = {"font.sans-serif", "image.cmap"}


def test_the_style_sheet_is_seaborns_theme_where_it_says_nothing_else(caplog):
    theme, own = SHEET.read_text(encoding="utf-8").split("\n\n")
    names = {line.split(":")[0] for line in own.splitlines() if not line.startswith("#")}
    with mpl.rc_context():
        set_style()
        shown = dict(mpl.rcParams)
        palette = sns.color_palette("colorblind").as_hex()
        seaborns = sns.axes_style("whitegrid") | sns.plotting_context("paper", font_scale=1.1)
    assert not caplog.records  # a bad value is only warned of
    assert len(names) == len(own.splitlines()) - 1
    assert (shown["svg.hashsalt"], shown["grid.color"], shown["text.parse_math"]) == ("task vectors", "#e8e8e8", False)
    for name in seaborns.keys() - names - LEFT_OUT:
        expected = seaborns[name]
        if isinstance(expected, float):
            assert shown[name] == pytest.approx(expected), name
        elif "color" in name and not isinstance(expected, bool):
            assert to_hex(shown[name]) == to_hex(expected), name
        else:
            assert shown[name] == expected, name
    assert [to_hex(colour) for colour in shown["axes.prop_cycle"].by_key()["color"]] == palette
    assert {line.split(":")[0] for line in theme.splitlines() if not line.startswith("#")} <= {
        *seaborns,
        "axes.prop_cycle",
    }
