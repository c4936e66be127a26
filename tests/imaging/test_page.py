from pathlib import Path

import jinja2
import pytest

from imaging.page import write_page

BASE = '{% extends "base.html.j2" %}{% from "tables.html.j2" import table %}'


def write(folder: Path, template: str, **content: object) -> str:
    (folder / "page.html.j2").write_text(BASE + template, encoding="utf-8")
    page = write_page(folder / "out.html", folder / "page.html.j2", **content)
    return page.read_text(encoding="utf-8")


def test_a_page_is_the_frame_filled(tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text(".own { color: red; }")
    page = write(
        tmp_path,
        '{% block style %}{% include "own.css" %}{% endblock %}'
        "{% block main %}{{ x }}{% endblock %}",
        title="<a>",
        lead="b",
        x="<c>",
    )
    assert page.startswith("<!doctype html>")
    assert "<title>&lt;a&gt;</title>" in page
    assert "<main>\n&lt;c&gt;</main>" in page
    assert page.index("prefers-color-scheme: dark") < page.index(".own {") < page.index("</style>")


def test_a_table_has_its_rows_and_those_of_the_caller(tmp_path: Path) -> None:
    rows = '{% call table(["h"], [["<r>", "s"]], heads=true) %}<tr><td>own</td></tr>{% endcall %}'
    page = write(tmp_path, f"{{% block main %}}{rows}{{% endblock %}}", title="", lead="")
    assert '<th scope="row">&lt;r&gt;</th><td>s</td>' in page
    assert "<tr><td>own</td></tr>" in page


def test_a_variable_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(jinja2.UndefinedError, match="lead"):
        write(tmp_path, "", title="")
    assert not (tmp_path / "out.html").exists()
