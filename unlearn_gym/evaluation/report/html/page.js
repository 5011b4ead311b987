// A click on a heading sorts the table by that column, a second one the other way round; gaps stay at the end.
for (const table of document.querySelectorAll("details table")) {
  const number = cell => parseFloat(cell.textContent.replace("−", "-").replace("e−", "e-"));
  const missing = cell => cell.textContent.trim() === "–";
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    return isNaN(x) || isNaN(y) ? a.textContent.localeCompare(b.textContent) : x - y;
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].sort((one, two) => {
        const [a, b] = [one.cells[column], two.cells[column]];
        return missing(a) - missing(b) || (down ? compare(b, a) : compare(a, b));
      });
      table.tBodies[0].append(...rows);
    });
  });
}
