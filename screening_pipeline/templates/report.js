"use strict";
// Counts the open checks again for what is chosen. The page says the same without it, of all of them.
const held = JSON.parse(document.getElementById("held").textContent);
const choices = [...document.querySelectorAll("#front select")];
const spoken = { vendor: "vendors", candidate: "candidates", client: "you", client_or_candidate: "you or candidates", unknown: "nobody known" };
const waits = { vendor: " for its vendor", candidate: " for a candidate", client: " for you", client_or_candidate: " for you or a candidate", unknown: "" };
const units = [[120, 1, "s", 0], [7200, 60, "min", 0], [172800, 3600, "h", 1], [Infinity, 86400, "d", 1]];

function span(seconds) {
  const [, unit, name, digits] = units.find(([limit]) => seconds < limit);
  return `${(seconds / unit).toFixed(digits)} ${name}`;
}

function sentence(rows, counts) {
  if (!rows.length) return "No check is open here.";
  const parts = Object.keys(spoken).filter((holder) => counts[holder]).map((holder) =>
    holder === "unknown" ? `of ${counts[holder]} nobody is known` : `${spoken[holder]} hold ${counts[holder]}`);
  const oldest = rows.find((row) => row.age !== null);
  const verb = rows.length === 1 ? "check is" : "checks are";
  const age = oldest ? `; the oldest waits ${span(oldest.age)}${waits[oldest.holder]} (${oldest.name})` : "";
  return `${rows.length} ${verb} open: ${parts.join(", ")}${age}.`;
}

function choose() {
  const rows = held.filter((row) => choices.every((choice) => !choice.value || row[choice.name] === choice.value));
  const counts = {};
  for (const row of rows) counts[row.holder] = (counts[row.holder] || 0) + 1;
  document.getElementById("sentence").textContent = sentence(rows, counts);
  for (const piece of document.querySelectorAll("#held-bar [data-holder]")) {
    const count = counts[piece.dataset.holder] || 0;
    piece.style.flexGrow = count;
    piece.hidden = !count;
    const told = piece.querySelector("b");
    if (told) told.textContent = count;
  }
  const body = document.querySelector("#longest tbody");
  body.replaceChildren(...rows.slice(0, 12).map((row) => {
    const line = document.createElement("tr");
    const words = [row.name, spoken[row.holder], row.age === null ? "–" : span(row.age), row.held === null ? "–" : span(row.held), row.state, row.stuck ? "stuck" : "", row.package || "–", row.id];
    line.append(...words.map((word, at) => {
      const cell = document.createElement("td");
      cell.className = at === 2 || at === 3 ? "number" : at > 5 || !at ? "foreign" : "word";
      cell.textContent = word;
      return cell;
    }));
    return line;
  }));
}

document.getElementById("filters").hidden = false;
for (const choice of choices) choice.addEventListener("change", choose);
