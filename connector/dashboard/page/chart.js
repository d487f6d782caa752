// Small charts of our own. They add to a number that stands beside them: to a screen reader they are not there.

import { attribute, svg } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 24;

/** A line with its area, over a fixed number of points; null is a gap. `least`: the scale ends there or higher. */
export function sparkline(kind, points, least) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const node = svg(
    "svg",
    { class: `spark ${kind}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "base", d: `M0 ${HEIGHT - 1}H${WIDTH}` }),
    area,
    line,
  );
  node.draw = (values) => {
    const [stroke, fill] = paths(values, points, least);
    attribute(line, "d", stroke);
    attribute(area, "d", fill);
  };
  return node;
}

function paths(values, points, least) {
  const most = Math.max(least, ...values.map((value) => value ?? 0));
  const step = WIDTH / (points - 1);
  const left = WIDTH - (values.length - 1) * step;
  let stroke = "";
  let fill = "";
  for (const run of runs(values)) {
    const corners = run.map(([place, value]) => {
      const x = (left + place * step).toFixed(1);
      return `${x} ${(HEIGHT - 1 - (value / most) * (HEIGHT - 3)).toFixed(1)}`;
    });
    const from = (left + run[0][0] * step).toFixed(1);
    const to = (left + run[run.length - 1][0] * step).toFixed(1);
    stroke += `M${corners.join("L")}`;
    fill += `M${from} ${HEIGHT}L${corners.join("L")}L${to} ${HEIGHT}Z`;
  }
  return [stroke, fill];
}

/** Stretches without a gap, as [place, value] pairs. */
function runs(values) {
  const found = [];
  values.forEach((value, place) => {
    if (value === null) return;
    if (place === 0 || values[place - 1] === null) found.push([]);
    found[found.length - 1].push([place, value]);
  });
  return found;
}

/** Bars over a fixed number of windows; the last one is not over yet. */
export function bars(points, height = 56) {
  const width = points * 6;
  const rects = Array.from({ length: points }, (_, place) =>
    svg("rect", { x: place * 6 + 0.5, width: 5, rx: 1, class: place === points - 1 ? "open" : "" }),
  );
  const node = svg(
    "svg",
    { class: "bars", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...rects,
  );
  node.draw = (values) => {
    const most = Math.max(1, ...values);
    values.forEach((value, place) => {
      const size = value ? Math.max(1.5, (value / most) * height) : 0.75;
      attribute(rects[place], "y", (height - size).toFixed(1));
      attribute(rects[place], "height", size.toFixed(1));
    });
  };
  return node;
}
