"""Pages: one self-contained HTML file each, in one frame and one style."""

from pathlib import Path

import jinja2

from imaging.files import replacing


def write_page(path: Path, template: Path, **content: object) -> Path:
    """Fill a template and write it as a page that needs nothing else.

    Parameters
    ----------
    path
        The page; replaced when it is there.
    template
        Extends ``base.html.j2``, beside which ``tables.html.j2`` is to import. What it includes
        lies in its own folder.
    **content
        Its variables, ``title`` and ``lead`` among them.

    Returns
    -------
    Path
        `path`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=jinja2.select_autoescape(["j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template.name).render(content)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
