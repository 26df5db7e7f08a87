// Filters above the table of data sets: a menu per column with few values, and a search box.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("#data-sets table");
  if (!table || !location.pathname.endsWith("/datasets.html")) return;
  const headings = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
  const rows = [...table.querySelectorAll("tbody tr")];
  const cell = (row, column) => row.cells[column].textContent.trim();
  const shortened = (text) => (text.startsWith("not stated") ? "not stated" : text.replace(/ \(.*/, ""));
  const filters = document.createElement("form");
  filters.className = "catalogue-filters";
  filters.addEventListener("submit", (event) => event.preventDefault());
  const tests = [];

  const labelled = (name, control) => {
    const label = document.createElement("label");
    label.append(`${name} `, control);
    filters.append(label);
    control.addEventListener("input", update);
  };
  const search = document.createElement("input");
  search.type = "search";
  labelled("search", search);
  tests.push((row) => row.textContent.toLowerCase().includes(search.value.toLowerCase()));
  for (const name of ["modality", "language", "level", "licence", "checked on the files"]) {
    const column = headings.indexOf(name);
    const values = (row) =>
      name === "language" ? cell(row, column).split(",") : [shortened(cell(row, column))];
    const menu = document.createElement("select");
    const found = [...new Set(rows.flatMap(values))].sort();
    menu.append(new Option("all", ""), ...found.map((value) => new Option(value, value)));
    labelled(name, menu);
    tests.push((row) => !menu.value || values(row).includes(menu.value));
  }
  const count = document.createElement("output");
  filters.append(count);

  function update() {
    for (const row of rows) row.hidden = !tests.every((test) => test(row));
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  }
  (table.closest(".pst-scrollable-table-container") || table).before(filters);
  update();
});
