"use strict";
// What is folded away belongs on paper, but for pages of numbers that are files of their own.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not(.long)")) folded.open = true;
});
// Every figure can be saved as a picture, in the colours of paper.
for (const svg of document.querySelectorAll("figure > svg")) {
  const save = document.createElement("button");
  save.type = "button";
  save.className = "save";
  save.textContent = "PNG";
  save.ariaLabel = "Save this figure as PNG";
  save.addEventListener("click", async () => {
    const { width, height } = svg.viewBox.baseVal;
    const copy = svg.cloneNode(true);
    copy.setAttribute("width", 3 * width);
    copy.setAttribute("height", 3 * height);
    const picture = new Image();
    picture.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    await picture.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 3 * width, height: 3 * height });
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0);
    const name = `${svg.closest("section").id}-${svg.querySelector("title").textContent}`;
    const link = document.createElement("a");
    link.download = `${name.replace(/[^A-Za-z0-9]+/g, "-")}.png`;
    link.href = canvas.toDataURL("image/png");
    link.click();
  });
  svg.after(save);
}
// The plane that all volumes of a view show, and where it lies in their sections.
for (const view of document.querySelectorAll(".volume")) {
  const slider = view.querySelector("input");
  const said = view.querySelectorAll("[data-z]");
  slider.parentElement.hidden = false;
  slider.addEventListener("input", () => {
    view.style.setProperty("--plane", slider.value);
    view.style.setProperty("--z", said[slider.value].dataset.z);
    said.forEach((words, number) => { words.hidden = number !== Number(slider.value); });
  });
}
// Two images of a view under a movable divider; zoomed and moved together with all others of the
// view. Without JavaScript the panels beside it show everything.
for (const viewer of document.querySelectorAll(".viewer")) {
  const compare = viewer.querySelector(".compare");
  const stage = viewer.querySelector(".stage");
  const split = viewer.querySelector("input[type=range]");
  const zoomText = viewer.querySelector("output");
  const sides = ["left", "right"].map((side) => ({
    pick: viewer.querySelector(`.pick-${side}`),
    image: viewer.querySelector(side === "left" ? ".over img" : ".under img"),
    tag: viewer.querySelector(`.tag.${side}`),
  }));
  const pictures = new Map();
  for (const figure of viewer.querySelectorAll(".panels figure")) {
    const name = figure.dataset.name;
    const named = {
      picture: name,
      error: `${name} − truth`,
      resolution: `${name}, resolution`,
      std: `${name}, std`,
    };
    for (const [kind, title] of Object.entries(named)) {
      const frame = figure.querySelector(`.${kind}`);
      if (frame) pictures.set(title, frame);
    }
  }
  if (pictures.size < 2) continue;
  compare.hidden = false;

  const show = (side, name) => {
    const picture = pictures.get(name).firstElementChild;
    side.pick.value = name;
    side.image.src = picture.src;
    side.image.alt = picture.alt;
    side.tag.textContent = name;
    for (const [title, frame] of pictures) {
      frame.ariaPressed = sides.some((one) => one.pick.value === title);
    }
  };
  for (const side of sides) {
    for (const name of pictures.keys()) side.pick.add(new Option(name));
    side.pick.addEventListener("change", () => show(side, side.pick.value));
  }
  const chosen = viewer.querySelector(".panels .package:has(.picture)");
  const names = [...pictures.keys()];
  show(sides[0], names[0]);
  show(sides[1], chosen ? chosen.dataset.name : names[1]);
  for (const [name, picture] of pictures) {
    picture.addEventListener("click", (event) => show(sides[event.shiftKey ? 0 : 1], name));
  }

  let zoom = 1, x = 0, y = 0;
  const within = (value) => Math.min(0, Math.max(1 - zoom, value));
  const draw = () => {
    x = within(x);
    y = within(y);
    viewer.style.setProperty("--zoom", zoom);
    viewer.style.setProperty("--x", x);
    viewer.style.setProperty("--y", y);
    viewer.style.setProperty("--split", `${split.value}%`);
    viewer.classList.toggle("zoomed", zoom > 1);
    zoomText.textContent = `${zoom}×`;
  };
  const zoomTo = (next, cx = 0.5, cy = 0.5) => {
    next = Math.min(8, Math.max(1, next));
    x = cx - ((cx - x) * next) / zoom;
    y = cy - ((cy - y) * next) / zoom;
    zoom = next;
    draw();
  };
  split.addEventListener("input", draw);
  viewer.querySelector("[data-zoom=in]").addEventListener("click", () => zoomTo(zoom * 2));
  viewer.querySelector("[data-zoom=out]").addEventListener("click", () => zoomTo(zoom / 2));

  let drag = null;
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  stage.addEventListener("pointerdown", (event) => {
    const onDivider = event.target.classList.contains("divider");
    drag = { from: place(event), x, y, divide: onDivider || zoom === 1 };
    stage.setPointerCapture(event.pointerId);
    if (drag.divide) split.value = 100 * drag.from[0];
    draw();
  });
  stage.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [px, py] = place(event);
    if (drag.divide) split.value = 100 * px;
    else [x, y] = [drag.x + px - drag.from[0], drag.y + py - drag.from[1]];
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => { drag = null; });
  }
  stage.addEventListener("dblclick", (event) => zoomTo(zoom === 1 ? 4 : 1, ...place(event)));
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    if (event.deltaY) zoomTo(event.deltaY < 0 ? zoom * 2 : zoom / 2, ...place(event));
  }, { passive: false });
  stage.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key === "+" || event.key === "=") zoomTo(zoom * 2);
    else if (event.key === "-") zoomTo(zoom / 2);
    else if (event.key === "0") zoomTo(1);
    else if (event.key === " ") {
      const [left, right] = sides.map((side) => side.pick.value);
      show(sides[0], right);
      show(sides[1], left);
    }
    else if (event.key in moves && zoom > 1) {
      x += 0.1 * moves[event.key][0];
      y += 0.1 * moves[event.key][1];
      draw();
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      split.value = Number(split.value) - 5 * moves[event.key][0];
      draw();
    } else return;
    event.preventDefault();
  });
  draw();
}
