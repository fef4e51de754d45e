"""Draws the plots of a result as SVG, by matplotlib (the extra `bench`)."""

from pathlib import Path

from tests.bench.report import FOLDER, Plot, Result


def draw(result: Result, folder: Path = FOLDER) -> bool:
    """Draw all plots of a result; return whether that was possible."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
    except ModuleNotFoundError:
        return False
    # The same picture for the same figures.
    mpl.rcParams["svg.hashsalt"] = "voicegate"
    for plot in result.plots:
        _draw(plot, folder / f"{plot.name}.svg")
    return True


def _draw(plot: Plot, file: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, points in plot.lines.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker=".", markersize=3, label=name)
    if plot.bars:
        pieces = dict.fromkeys(piece for bar in plot.bars.values() for piece in bar)
        names, lefts = list(plot.bars), [0.0] * len(plot.bars)
        for piece in pieces:
            widths = [bar.get(piece, 0.0) for bar in plot.bars.values()]
            axes.barh(names, widths, left=lefts, label=piece)
            lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
        axes.invert_yaxis()
    axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
    axes.grid(visible=True, alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4, fontsize="small")
    figure.savefig(file, metadata={"Date": None})
