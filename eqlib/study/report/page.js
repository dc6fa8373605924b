for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const first = [...body.rows];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const numbers = first.some((row) => row.cells[column].dataset.value !== undefined);
      const order = numbers ? ["descending", "ascending", null] : ["ascending", "descending", null];
      const next = order[(order.indexOf(now) + 1) % 3];
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      let rows = first;
      if (next) {
        head.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        const key = (row) => row.cells[column].dataset.value;
        rows = [...first].sort((a, b) => {
          if (!numbers) return sign * a.cells[column].textContent.localeCompare(b.cells[column].textContent);
          if (key(a) === undefined || key(b) === undefined) return (key(a) === undefined) - (key(b) === undefined);
          return sign * (Number(key(a)) - Number(key(b)));
        });
      }
      body.append(...rows);
    });
  });
}

const large = document.getElementById("large");
for (const button of document.querySelectorAll(".zoom")) {
  button.addEventListener("click", () => {
    const from = button.querySelector("img");
    const to = large.querySelector("img");
    to.src = from.src;
    to.alt = from.alt;
    large.showModal();
  });
}
large.addEventListener("click", () => large.close());
addEventListener("hashchange", open);
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  const code = target?.matches(".cell") && target.querySelector(".source");
  if (code) code.open = true;
  target?.scrollIntoView();
}
open();
