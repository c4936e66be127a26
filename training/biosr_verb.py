"""The verb that makes a dataset of BioSR."""

from pathlib import Path


def import_biosr(
    folder: Path, out: Path, /, *, structure: str | None = None, levels: str | None = None
) -> None:
    """Make a dataset of BioSR as it is on disk: wide-field images and SIM images of the same cells.

    A wide-field image is the mean of the raw frames of a level of light. The split is that of the
    literature, by cell: 1 to 5, which it validates with, become calibration, 6 to 35 train, and 36
    to 50, which it tests on, validation; crops made for networks bring their own. Where a part
    would be empty none is stated, and training divides by its own rule. An interrupted run goes on
    where it stopped.

    For instance:
        python -m training import-biosr BioSR data/mt --structure MT --levels 1..9

    Parameters
    ----------
    folder
        Of BioSR, or of one structure: Cell_001 and so on with .mrc files, or training_wf,
        validate_wf and test_wf, and their _gt, with .tif files.
    out
        Folder to make: input/, target/ and dataset.toml, which names each pair's cell and level.
    structure
        CCP, ER, MT, F-actin, F-actin-nonlinear, or the name of a folder; without it the only one
        there is.
    levels
        Which levels of light to take, 1 being the least: 3, or 1..9, or 1,4,9; without it all.
    """
    from training.biosr import import_biosr

    import_biosr(folder, out, structure=structure, levels=levels)
