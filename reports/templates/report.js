"use strict";
// Comfort only: the page says everything without it.

for (const command of document.querySelectorAll(".command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const code = command.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code); // no clipboard here: leave it selected
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
      return;
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  command.append(button);
}

for (const form of document.querySelectorAll("form.filter")) {
  const rows = [...form.parentElement.querySelectorAll("table.checks tbody tr")];
  const texts = rows.map((row) => (row.textContent + " " + row.dataset.covers).toLowerCase());
  const chosen = (name) => new Set([...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
  const apply = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/);
    const outcomes = chosen("outcome");
    const levels = chosen("level");
    let shown = 0;
    rows.forEach((row, index) => {
      const fits = outcomes.has(row.dataset.outcome) && levels.has(row.dataset.level)
        && words.every((word) => texts[index].includes(word));
      row.hidden = !fits;
      shown += fits;
    });
    form.querySelector("[role=status]").textContent = `${shown} of ${rows.length} shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}
