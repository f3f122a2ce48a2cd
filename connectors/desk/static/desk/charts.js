// Draws the start page's charts out of the JSON beside them. Series differ by pattern, dash and shape as well as colour.
"use strict";
(() => {
  const source = document.getElementById("desk-chart-data");
  if (!source || !window.Chart) return;
  const data = JSON.parse(source.textContent);
  const shapes = ["circle", "rect", "triangle", "rectRot", "star", "cross"];
  const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3], [14, 4], [4, 4]];
  const palettes = {
    light: ["#0b5cab", "#b35900", "#1a6b35", "#8a2a7b", "#5a5f66", "#a3151f"],
    dark: ["#7cb8f5", "#f6b26b", "#8fdcaa", "#e7a3da", "#b8c2cc", "#ff9ea4"],
  };
  const drawn = [];

  function isDark() {
    const theme = document.documentElement.dataset.theme;
    return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  }

  // A tile with lines, dots or nothing on the colour, by the number of the series.
  function pattern(colour, number, ground) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = pen.fillStyle = ground;
    pen.lineWidth = 1.5;
    pen.beginPath();
    if (number % 6 === 1) { pen.moveTo(0, 8); pen.lineTo(8, 0); }
    if (number % 6 === 2) { pen.moveTo(0, 4); pen.lineTo(8, 4); }
    if (number % 6 === 3) { pen.moveTo(4, 0); pen.lineTo(4, 8); }
    if (number % 6 === 4) { pen.moveTo(0, 4); pen.lineTo(8, 4); pen.moveTo(4, 0); pen.lineTo(4, 8); }
    pen.stroke();
    if (number % 6 === 5) { pen.fillRect(2, 2, 3, 3); }
    return pen.createPattern(tile, "repeat");
  }

  function draw() {
    drawn.splice(0).forEach((chart) => chart.destroy());
    const style = getComputedStyle(document.documentElement);
    const text = style.getPropertyValue("--body-fg").trim();
    const line = style.getPropertyValue("--hairline-color").trim();
    const ground = style.getPropertyValue("--desk-card").trim();
    const colours = palettes[isDark() ? "dark" : "light"];
    const axis = (title, more) => ({
      ticks: { color: text, maxRotation: 0, autoSkipPadding: 12 }, grid: { color: line }, ...more,
      title: { display: Boolean(title), text: title, color: text },
    });
    const options = (title, stacked, more) => ({
      responsive: true, maintainAspectRatio: false, animation: false,
      plugins: { legend: { labels: { color: text, usePointStyle: !stacked, boxWidth: 24 } } },
      scales: { x: axis("", { stacked }), y: axis(title, { stacked, beginAtZero: true, ...more }) },
    });
    drawn.push(new Chart(document.getElementById("desk-chart-logged"), {
      type: "bar",
      data: {
        labels: data.days,
        datasets: data.series.map((series, number) => ({
          label: series.name, data: series.logged,
          backgroundColor: pattern(colours[number % 6], number, ground), borderColor: colours[number % 6], borderWidth: 1,
        })),
      },
      options: options("", true, { ticks: { color: text, precision: 0 } }),
    }));
    drawn.push(new Chart(document.getElementById("desk-chart-failed"), {
      type: "line",
      data: {
        labels: data.days,
        datasets: data.series.map((series, number) => ({
          label: series.name, data: series.failed, spanGaps: true, pointRadius: 4,
          pointStyle: shapes[number % 6], borderDash: dashes[number % 6],
          borderColor: colours[number % 6], backgroundColor: colours[number % 6], borderWidth: 2,
        })),
      },
      options: options("per cent", false),
    }));
  }

  draw();
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
