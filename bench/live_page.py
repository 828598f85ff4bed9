"""What is added to Locust's page: two charts, drawn as figures come. Data only."""

from __future__ import annotations

PANEL = """
<style>
  #root > div { min-height: 0 !important; }
  #parallama { font: 14px/1.4 system-ui, sans-serif; margin: 0 auto; max-width: 1200px;
    padding: 0 24px 32px; }
  #parallama h2 { font-size: 18px; font-weight: 600; margin: 16px 0 4px; }
  #parallama .charts { display: grid; gap: 16px; }
  @media (min-width: 900px) { #parallama .charts { grid-template-columns: 1fr 1fr; } }
  #parallama figure { margin: 0; border: 1px solid rgb(128 128 128 / 50%);
    border-radius: 6px; padding: 12px; }
  #parallama figcaption { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-bottom: 4px; }
  #parallama figcaption b { margin-right: auto; }
  #parallama svg { display: block; width: 100%; height: auto; }
  #parallama text { font-size: 12px; fill: currentColor; opacity: 0.8; }
  #parallama .grid { stroke: currentColor; opacity: 0.2; }
  #parallama path { fill: none; stroke-width: 2; }
  #parallama .swatch { display: inline-block; width: 18px; height: 0; margin-right: 6px;
    vertical-align: middle; border-top: 3px solid; }
  #parallama .note { opacity: 0.8; }
</style>
<section id="parallama" aria-label="parallama's own figures">
  <h2>Time to first token and tokens per second</h2>
  <p class="note" id="parallama-now" aria-live="polite">no request has ended yet</p>
  <div class="charts"></div>
  <p class="note">Of the requests that ended in the ten seconds before each moment, from
  parallama's own clock. What stands above is Locust's, in its own terms; the report has neither
  rounding nor window.</p>
</section>
<script>
(() => {
  const seconds = [];
  const charts = [
    { title: "Time to first token, ms", lines: [
      { key: "ttft_p50_ms", name: "p50", colour: "#0072b2", dash: "" },
      { key: "ttft_p95_ms", name: "p95", colour: "#d55e00", dash: "6 3" }] },
    { title: "Tokens per second", lines: [
      { key: "tokens_per_s", name: "tok/s", colour: "#007a5e", dash: "" }] },
  ];
  const W = 560, H = 220, LEFT = 52, RIGHT = 8, TOP = 8, BOTTOM = 24;
  const show = (value) => value == null ? "-" : value >= 100 ? value.toFixed(0)
    : value.toPrecision(3);
  const step = (most) => {
    const rough = most / 4, power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  };
  const draw = (chart) => {
    const known = chart.lines.flatMap((line) =>
      seconds.map((one) => one[line.key]).filter((value) => value != null));
    if (!known.length) return "";
    const most = Math.max(...known, 1e-9), every = step(most);
    const top = every * Math.ceil(most / every);
    const from = seconds[0].at_s, to = Math.max(seconds.at(-1).at_s, from + 10);
    const x = (at) => LEFT + (W - LEFT - RIGHT) * (at - from) / (to - from);
    const y = (value) => H - BOTTOM - (H - TOP - BOTTOM) * value / top;
    let svg = "";
    for (let value = 0; value <= top * 1.0001; value += every) {
      const at = y(value), shown = +value.toPrecision(6);
      svg += `<line class="grid" x1="${LEFT}" x2="${W - RIGHT}" y1="${at}" y2="${at}"/>`
        + `<text x="${LEFT - 6}" y="${at + 4}" text-anchor="end">${shown}</text>`;
    }
    for (let part = 0; part <= 4; part++) {
      const at = from + (to - from) * part / 4;
      const anchor = part == 4 ? "end" : part ? "middle" : "start";
      svg += `<text x="${x(at)}" y="${H - 6}" text-anchor="${anchor}">${at.toFixed(0)} s</text>`;
    }
    for (const line of chart.lines) {
      let path = "", pen = "M";
      for (const one of seconds) {
        if (one[line.key] == null) { pen = "M"; continue; }
        path += `${pen}${x(one.at_s).toFixed(1)} ${y(one[line.key]).toFixed(1)}`;
        pen = "L";
      }
      svg += `<path d="${path}" stroke="${line.colour}" stroke-dasharray="${line.dash}"/>`;
    }
    return svg;
  };
  const places = charts.map((chart) => {
    const figure = document.createElement("figure");
    const legend = chart.lines.map((line) => `<span><i class="swatch" style="border-top-color:`
      + `${line.colour};border-top-style:${line.dash ? "dashed" : "solid"}"></i>${line.name}`
      + ` <span data-key="${line.key}">-</span></span>`);
    figure.innerHTML = `<figcaption><b>${chart.title}</b>${legend.join("")}</figcaption>`
      + `<svg viewBox="0 0 ${W} ${H}" role="img"`
      + ` aria-label="${chart.title} over time"></svg>`;
    document.querySelector("#parallama .charts").append(figure);
    return figure;
  });
  const look = async () => {
    try {
      const after = seconds.length ? seconds.at(-1).at_s : -1;
      const answer = await fetch(`./parallama/live?after=${after}`);
      seconds.push(...await answer.json());
      seconds.splice(0, seconds.length - 1800);
      const last = seconds.at(-1);
      if (last) {
        document.getElementById("parallama-now").textContent =
          `${last.point}: ${last.done} requests ended, ${last.errors} errors`;
        charts.forEach((chart, number) => {
          places[number].querySelector("svg").innerHTML = draw(chart);
          for (const line of chart.lines)
            places[number].querySelector(`[data-key=${line.key}]`).textContent =
              show(last[line.key]);
        });
      }
    } catch { /* the run has ended: what is drawn stays */ }
    setTimeout(look, 1000);
  };
  look();
})();
</script>
"""
