"use strict";
// What htmx does not do by itself. Pages work without it.

// What changed is said to screen readers: an answer can name it in `X-Told`.
document.addEventListener("htmx:afterRequest", (event) => {
  const told = event.detail.xhr && event.detail.xhr.getResponseHeader("X-Told");
  if (told) document.getElementById("told").textContent = decodeURIComponent(told);
});

// A text area for JSON becomes an editor; Tab leaves it, as it leaves any field.
document.addEventListener("DOMContentLoaded", () => {
  if (!window.CodeMirror) return;
  for (const area of document.querySelectorAll('textarea[data-editor="json"]')) {
    const editor = CodeMirror.fromTextArea(area, {
      mode: { name: "javascript", json: true }, lineNumbers: true, matchBrackets: true,
      extraKeys: { Tab: false, "Shift-Tab": false },
    });
    const label = document.querySelector(`label[for="${area.id}"]`);
    editor.getInputField().setAttribute("aria-label", label ? label.textContent : "JSON");
    editor.on("change", () => editor.save());
  }
});
// Sparklines: each figure's caption says the same in words.
function drawRates(root) {
  if (!window.uPlot) return;
  for (const box of root.querySelectorAll("[data-rates]")) {
    if (box.childElementCount) continue;
    const rates = JSON.parse(box.dataset.rates);
    const stroke = getComputedStyle(box).color;
    const options = {
      width: box.clientWidth || 240, height: 48, legend: { show: false }, cursor: { show: false },
      axes: [{ show: false }, { show: false }], scales: { x: { time: false } },
      series: [{}, { stroke, width: 2, points: { show: false } }],
    };
    new uPlot(options, [rates.map((_, minute) => minute), rates], box);
  }
}
document.addEventListener("DOMContentLoaded", () => drawRates(document));
document.addEventListener("htmx:afterSwap", (event) => drawRates(event.target));
document.addEventListener("htmx:sseMessage", (event) => drawRates(event.target));
// One box marks all of a list; without this script there is no such box.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("[data-marks]")) {
    box.hidden = false;
    box.addEventListener("change", () => {
      const marked = box.form.querySelectorAll(`[name="${box.dataset.marks}"]`);
      for (const one of marked) one.checked = box.checked;
    });
  }
});
