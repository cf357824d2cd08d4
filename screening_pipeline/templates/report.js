"use strict";
// Counts the open checks again for what is chosen, and shows the turnaround that was computed for it. The page says the
// same without it, of all of them.
const [held, groups] = ["held", "groups"].map((id) => JSON.parse(document.getElementById(id)?.textContent ?? "[]"));
const choices = [...document.querySelectorAll(".filters select")];
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

function cell(kind, word, small) {
  const made = document.createElement("td");
  made.className = kind;
  made.textContent = word;
  if (small) made.appendChild(document.createElement("small")).textContent = small;
  return made;
}

function count(chosen) {
  const rows = held.filter((row) => Object.entries(chosen).every(([name, value]) => row[name] === value));
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
    line.append(...words.map((word, at) => cell(at === 2 || at === 3 ? "number" : at > 5 || !at ? "foreign" : "word", word)));
    return line;
  }));
}

// A package and a month were computed together, so a month alone shows each package; a country has no turnaround of its own.
function pace({ vendor, package: name, month }) {
  const box = document.getElementById("chosen");
  if (!box) return;
  box.hidden = !(vendor || name || month);
  document.getElementById("by-vendor").hidden = !box.hidden;
  const rows = groups.filter((row) => (!vendor || row.vendor === vendor) && row.month === (month ?? null) &&
    (name ? row.package === name : month ? row.package !== null : row.package === null));
  const parts = [vendor && `vendor ${rows[0]?.name ?? vendor}`, name && `package ${name}`, month && `ordered in ${month}`];
  box.querySelector("p").textContent = `Chosen: ${parts.filter(Boolean).join(", ")}. ` +
    (rows.length ? "Of all countries; the chart below is of everything." : "Nothing to show: too few, or ordered too long ago.");
  const kinds = [...box.querySelectorAll("th")].map((heading) => heading.className);
  box.querySelector("tbody").replaceChildren(...rows.map((row) => {
    const line = document.createElement("tr");
    const cells = [[row.name], [row.package ?? "all"], [row.month ?? "any month"], ...row.cells];
    line.append(...cells.map(([word, small], at) => cell(kinds[at], word, small)));
    return line;
  }));
}

function choose(changed) {
  for (const choice of choices) if (choice.name === changed.name) choice.value = changed.value;
  const chosen = Object.fromEntries(choices.filter((choice) => choice.value).map((choice) => [choice.name, choice.value]));
  count(chosen);
  pace(chosen);
}

for (const form of document.querySelectorAll(".filters")) form.hidden = !form.elements.length;
for (const choice of choices) choice.addEventListener("change", () => choose(choice));
