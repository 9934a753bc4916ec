// The class report. Everything that a student can have a word in is put on the page as text, never as HTML.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const [ID, NAME, SECTION, TOTAL, LATE, PENALTY, STATUS, FLAGS, UNCHANGED, CELLS, REDS, SUMMARY, FOLDER] = Array(13).keys();
const PAGE = 100;
const find = (id) => document.getElementById(id);
const state = { sort: "total", down: true, page: 0, rows: data.students };

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const label = (student) => student[NAME] || student[ID];
const status = (code) => data.statuses[-code - 1];
const compare = new Intl.Collator(undefined, { numeric: true }).compare;

// What is shown ----------------------------------------------------------------------------------------

const columns = [
  { key: "name", title: "student", value: (s) => label(s), text: true },
  { key: "section", title: "section", value: (s) => s[SECTION], text: true, hideable: true },
  ...data.katas.map((kata, i) => ({ key: kata.id, title: kata.id, about: kata.name, value: (s) => s[CELLS][i], cell: i })),
  { key: "late", title: "late", value: (s) => s[LATE] },
  { key: "total", title: "total", value: (s) => s[TOTAL] },
  { key: "status", title: "status", value: (s) => s[STATUS], text: true },
];

function choose() {
  const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const section = find("section").value;
  const wanted = find("status").value;
  const unchanged = find("unchanged").checked;
  state.rows = data.students.filter((s) => {
    const text = `${s[ID]} ${s[NAME]} ${s[SECTION]}`.toLowerCase();
    return words.every((word) => text.includes(word)) && (!section || s[SECTION] === section)
      && (!wanted || s[STATUS] === wanted || s[CELLS].some((each) => each < 0 && status(each) === wanted))
      && (!unchanged || s[UNCHANGED]);
  });
  const column = columns.find((each) => each.key === state.sort);
  const sign = state.down ? -1 : 1;
  state.rows.sort((a, b) => {
    const [x, y] = [column.value(a), column.value(b)];
    return sign * (column.text ? compare(x, y) : x - y) || compare(a[ID], b[ID]);
  });
  state.page = 0;
  show();
}

function show() {
  head();
  const first = state.page * PAGE;
  rows(state.rows.slice(first, first + PAGE));
  const last = Math.min(first + PAGE, state.rows.length);
  find("where").textContent = state.rows.length
    ? `${first + 1} to ${last} of ${state.rows.length.toLocaleString()}` : "No student fits.";
  find("back").disabled = first === 0;
  find("next").disabled = last >= state.rows.length;
  overview();
}

function head() {
  const line = element("tr");
  for (const column of columns) {
    const th = element("th", undefined, { scope: "col" });
    const sorted = column.key === state.sort;
    if (sorted) th.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    if (column.hideable) th.className = "hideable";
    const button = element("button", column.title + (sorted ? (state.down ? " ↓" : " ↑") : ""), { type: "button" });
    if (column.about) button.title = column.about;
    button.addEventListener("click", () => {
      state.down = sorted ? !state.down : !column.text;
      state.sort = column.key;
      choose();
      find("heat").querySelector("[aria-sort] button").focus();
    });
    th.append(button);
    line.append(th);
  }
  find("heat").tHead.replaceChildren(line);
}

function rows(students) {
  const lines = document.createDocumentFragment();
  for (const student of students) {
    const line = element("tr");
    const th = element("th", undefined, { scope: "row" });
    const button = element("button", label(student), { type: "button", title: student[ID] });
    button.addEventListener("click", () => details(student));
    th.append(button);
    line.append(th);
    for (const column of columns.slice(1)) {
      const value = column.value(student);
      const td = element("td", column.cell === undefined ? value : "");
      if (column.cell !== undefined) cell(td, value);
      else if (!column.text) td.className = "number";
      if (column.hideable) td.className = "hideable";
      if (column.key === "status" && student[STATUS] === "flagged") td.className = "bad";
      line.append(td);
    }
    lines.append(line);
  }
  find("heat").tBodies[0].replaceChildren(lines);
}

function cell(td, value) {
  td.className = "cell";
  if (value === null) return;
  if (value >= 0) {
    td.classList.add(`h${Math.floor(value / 10)}`);
    td.textContent = value;
  } else {
    td.classList.add(status(value) === "flagged" ? "flagged" : "status");
    td.textContent = data.symbols[-value - 1];
    td.title = status(value).replace("_", " ");
  }
}

// All students at once: a line each, as they are sorted. A click goes to that line's page.
function overview() {
  const canvas = find("overview");
  const context = canvas.getContext("2d");
  const [width, height] = [data.katas.length, Math.max(1, state.rows.length)];
  const image = context.createImageData(width, Math.min(height, 4096));
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim().match(/\w\w/g).map((each) => parseInt(each, 16));
  const heat = Array.from({ length: 11 }, (_, step) => colour(`--h${step}`));
  const [none, bad] = [colour("--raised"), colour("--bad")];
  for (let y = 0; y < image.height; y++) {
    const student = state.rows[Math.floor((y * height) / image.height)];
    for (let x = 0; x < width; x++) {
      const value = student ? student[CELLS][x] : null;
      const known = value !== null && value >= 0;
      const paint = known ? heat[Math.floor(value / 10)] : value !== null && value <= -2 ? bad : none;
      image.data.set([...paint, 255], 4 * (y * width + x));
    }
  }
  const aside = new OffscreenCanvas(width, image.height);
  aside.getContext("2d").putImageData(image, 0, 0);
  canvas.width = canvas.clientWidth * devicePixelRatio;
  canvas.height = canvas.clientHeight * devicePixelRatio;
  context.imageSmoothingEnabled = image.height > canvas.height;
  context.drawImage(aside, 0, 0, canvas.width, canvas.height);
}

function details(student) {
  find("who").textContent = label(student);
  const facts = [student[ID], student[SECTION] && `section ${student[SECTION]}`, `${student[TOTAL]} points`,
    student[LATE] && `${student[LATE]} days late, ${student[PENALTY]} points off`, student[STATUS],
    student[UNCHANGED] && "unchanged since the last run"];
  find("facts").textContent = facts.filter(Boolean).join(" · ");
  find("flags").replaceChildren(...student[FLAGS].map((flag) => element("li", flag)));
  find("feedback").href = `students/${student[FOLDER]}/feedback.html`;
  const lines = data.katas.map((kata, i) => {
    const line = element("tr");
    const value = student[CELLS][i];
    const td = element("td");
    cell(td, value);
    const red = student[REDS][i];
    const stands = value === null ? "not graded" : value < 0 ? status(value).replace("_", " ")
      : red < 0 ? "all green" : data.specs[i][red][1];
    line.append(element("th", kata.name, { scope: "row" }), td, element("td", stands));
    return line;
  });
  find("katas").tBodies[0].replaceChildren(...lines);
  find("summary").textContent = student[SUMMARY];
  find("summary").hidden = !student[SUMMARY];
  find("student").showModal();
}

// What a person does -----------------------------------------------------------------------------------

for (const name of ["section", "status"]) {
  const index = name === "section" ? SECTION : STATUS;
  const values = new Set(data.students.map((s) => s[index]).filter(Boolean));
  if (name === "status") data.students.forEach((s) => s[CELLS].forEach((v) => v < 0 && values.add(status(v))));
  for (const value of [...values].sort(compare)) find(name).append(element("option", value.replace("_", " "), { value }));
}
let waiting;
find("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(choose, 80); });
for (const name of ["section", "status", "unchanged"]) find(name).addEventListener("change", choose);
find("filters").addEventListener("submit", (event) => event.preventDefault());
find("back").addEventListener("click", () => { state.page--; show(); });
find("next").addEventListener("click", () => { state.page++; show(); });
find("close").addEventListener("click", () => find("student").close());
find("overview").addEventListener("click", (event) => {
  state.page = Math.floor((event.offsetY / event.target.clientHeight) * state.rows.length / PAGE);
  show();
});
addEventListener("resize", overview);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", overview);
addEventListener("beforeprint", () => rows(state.rows));
addEventListener("afterprint", show);
choose();
