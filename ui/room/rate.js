// Keys for those who rate by keyboard, and a sign that somebody is there. Without this script the page works as a form.
"use strict";
(() => {
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // back: what is kept, not what was
  const form = document.getElementById("rate");
  if (!form) return;
  const kind = form.dataset.kind;
  const comment = form.elements.comment;
  const answers = [...form.querySelectorAll(".answer")];
  let active = 0;
  let sent = false;

  const press = (value) => { const button = form.querySelector(`button[value="${value}"]`); if (button) button.click(); };
  const activate = (place) => {
    if (!answers[place]) return;
    active = place;
    answers.forEach((one, number) => one.classList.toggle("active", number === place));
    answers[place].scrollIntoView({ block: "nearest" });
  };

  // best: a digit chooses; rank: digits in the order of the places; scale: a digit scores the criterion that is open
  const ranked = [];
  const digit = (number) => {
    if (kind === "best" || kind === "pairwise") {
      const box = form.querySelector(`input[name="best"][value="${number}"]`);
      if (box) box.checked = !box.checked;
    } else if (kind === "rank") {
      if (number > answers.length) return;
      if (ranked.length === answers.length) ranked.length = 0;
      if (!ranked.includes(number)) ranked.push(number);
      answers.forEach((_, place) => {
        const rank = ranked.indexOf(place + 1);
        form.elements[`rank${place + 1}`].value = rank < 0 ? "" : String(rank + 1);
      });
    } else if (number <= 5) {
      const open = [...answers[active].querySelectorAll("fieldset")].find((one) => !one.querySelector(":checked"));
      if (!open) return;
      open.querySelector(`input[value="${number}"]`).checked = true;
      if (!answers[active].querySelector("fieldset:not(:has(:checked))")) activate(active + 1);
    }
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === comment) {
      if (event.key === "Escape") comment.blur();
      return;
    }
    if (event.target.tagName === "SELECT") return;
    if (/^[1-9]$/.test(event.key)) digit(Number(event.key));
    else if (event.key === "t") press("tie");
    else if (event.key === "b") press("all_bad");
    else if (event.key === "s") press("skip");
    else if (event.key === "c") comment.focus();
    else if (event.key === "u") document.querySelector("#undo button")?.click();
    else if (event.key === "Enter" && !["BUTTON", "A"].includes(event.target.tagName)) press("save");
    else if (event.key === "ArrowRight") activate(Math.min(active + 1, answers.length - 1));
    else if (event.key === "ArrowLeft") activate(Math.max(active - 1, 0));
    else return;
    event.preventDefault();
  });
  form.addEventListener("submit", (event) => { if (sent) event.preventDefault(); sent = true; });
  if (kind === "scale") activate(0);

  const beat = () => fetch(`${form.dataset.base}/beat`, { method: "POST", body: new URLSearchParams({ draft: comment.value }) }).catch(() => {});
  setInterval(beat, 30000);
  let waiting = 0;
  comment.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(beat, 800); });
})();
