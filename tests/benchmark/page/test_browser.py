"""The page in a real browser: it renders, complains of nothing, and answers mouse and keys."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --dump-dom "
    "--virtual-time-budget=3000"
)
# Uses the first viewer as a reader would, and writes down what is to be seen after every step.
READER = """
const viewer = document.querySelector(".viewer");
const stage = viewer.querySelector(".stage");
const find = (selector) => viewer.querySelector(selector);
const seen = {};
const look = (step) => {
  const left = getComputedStyle(find(".over img")).transform;
  seen[step] = {
    left: find(".tag.left").textContent,
    right: find(".tag.right").textContent,
    right_shows: find(".under img").src === find('.frame[aria-pressed="true"].error img')?.src,
    pressed: viewer.querySelectorAll('.frame[aria-pressed="true"]').length,
    zoom: find("output").textContent,
    split: find("input[type=range]").value,
    together: [...viewer.querySelectorAll(".frame img")].every(
      (image) => {
        const [scale, , , , x] = getComputedStyle(image).transform.match(/-?[\\d.]+/g);
        const [of_left, , , , left_x] = left.match(/-?[\\d.]+/g);
        const relative = (x / image.clientWidth) - (left_x / find(".over img").clientWidth);
        return scale === of_left && Math.abs(relative) < 0.01;
      }
    ),
  };
};
const press = (key) => stage.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
look("begin");
find(".package .error").click();
look("error");
find(".frame.std").dispatchEvent(new MouseEvent("click", { shiftKey: true, bubbles: true }));
look("std");
press(" ");
look("swapped");
const pick = find(".pick-right");
pick.value = "truth";
pick.dispatchEvent(new Event("change"));
look("picked");
press("ArrowRight");
look("split");
find("[data-zoom=in]").click();
press("ArrowLeft");
look("zoomed");
press("0");
look("all");
const links = [];
HTMLAnchorElement.prototype.click = function () { links.push([this.download, this.href]); };
document.querySelector("figure > .save").click();
setTimeout(() => {
  seen.saved = links.map(([name, href]) => [name, href.slice(0, 22), href.length]);
  const outcome = document.createElement("output");
  outcome.id = "seen";
  outcome.textContent = JSON.stringify(seen);
  document.body.append(outcome);
}, 500);
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def opened(reported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the document after the reader, and what the browser said."""
    folder = tmp_path_factory.mktemp("browser")
    page = (reported / "report.html").read_text(encoding="utf-8")
    read = page.replace("</body>", f"<script>{{{READER}}}</script></body>")
    (folder / "page.html").write_text(read, encoding="utf-8")
    command = [str(CHROMIUM), *FLAGS.split(), f"--user-data-dir={folder / 'profile'}"]
    url = (folder / "page.html").as_uri()
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, done.stderr


@pytest.fixture
def seen(opened: tuple[str, str]) -> dict[str, dict[str, object]]:
    found = re.search(r'<output id="seen">(.*?)</output>', opened[0])
    assert found is not None
    return json.loads(found[1].replace("&amp;", "&"))


def test_nothing_is_complained_of(opened: tuple[str, str]) -> None:
    assert "CONSOLE" not in opened[1]


def test_the_page_begins_with_input_and_first_package(seen: dict[str, dict[str, object]]) -> None:
    begin = seen["begin"]
    assert (begin["left"], begin["right"], begin["zoom"]) == ("input", "net", "1×")
    assert begin["pressed"] == 2


def test_a_click_shows_an_image_on_the_right_and_with_shift_on_the_left(
    seen: dict[str, dict[str, object]],
) -> None:
    assert (seen["error"]["left"], seen["error"]["right"]) == ("input", "net − truth")
    assert seen["error"]["right_shows"]
    assert (seen["std"]["left"], seen["std"]["right"]) == ("sampler, std", "net − truth")


def test_space_swaps_and_a_list_chooses(seen: dict[str, dict[str, object]]) -> None:
    assert (seen["swapped"]["left"], seen["swapped"]["right"]) == ("net − truth", "sampler, std")
    assert seen["picked"]["right"] == "truth"


def test_arrow_keys_move_the_divider(seen: dict[str, dict[str, object]]) -> None:
    assert (seen["picked"]["split"], seen["split"]["split"]) == ("50", "55")


def test_all_images_zoom_and_move_together(seen: dict[str, dict[str, object]]) -> None:
    assert seen["zoomed"]["zoom"] == "2×"
    assert seen["zoomed"]["together"]
    assert seen["all"]["zoom"] == "1×"


def test_a_figure_is_saved_as_png(seen: dict[str, list[list[object]]]) -> None:
    ((name, kind, length),) = seen["saved"]
    assert re.fullmatch(r"cells-more-.*\.png", str(name))
    assert kind == "data:image/png;base64,"
    assert int(str(length)) > 5000
