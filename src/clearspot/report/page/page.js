"use strict";
// Everything can be read without this. With it, a line or a place in a chart is heard with one click.
(() => {
  document.documentElement.classList.add("js");

  const playFrom = (player, seconds) => {
    const begin = () => { player.currentTime = seconds; player.play().catch(() => {}); };
    if (player.readyState > 0) { begin(); return; }
    player.addEventListener("loadedmetadata", begin, { once: true });
    player.preload = "auto";
    player.load();
  };

  for (const place of document.querySelectorAll("[data-at]")) {
    const player = document.getElementById(place.dataset.player);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "play";
    button.textContent = place.textContent;
    button.setAttribute("aria-label", `Play ${place.dataset.what} from ${place.textContent}`);
    button.addEventListener("click", () => playFrom(player, Number(place.dataset.at)));
    place.replaceWith(button);
  }

  for (const chart of document.querySelectorAll("svg.chart")) {
    const player = document.getElementById(chart.dataset.player);
    if (!player) continue;
    chart.addEventListener("click", (event) => {
      const box = chart.getBoundingClientRect();
      playFrom(player, ((event.clientX - box.left) / box.width) * Number(chart.dataset.length));
    });
  }

  for (const player of document.querySelectorAll("audio")) {
    const home = player.closest("section");
    const charts = [...home.querySelectorAll("svg.chart")];
    const rows = [...home.querySelectorAll("tr[data-from]")];
    player.addEventListener("play", () => {
      for (const other of document.querySelectorAll("audio")) if (other !== player) other.pause();
    });
    player.addEventListener("timeupdate", () => {
      const now = player.currentTime;
      for (const chart of charts) {
        const cursor = chart.querySelector(".cursor");
        const at = `${(100 * now) / Number(chart.dataset.length)}%`;
        cursor.setAttribute("x1", at);
        cursor.setAttribute("x2", at);
        cursor.setAttribute("visibility", "visible");
      }
      for (const row of rows) {
        row.classList.toggle("now", now >= Number(row.dataset.from) && now < Number(row.dataset.to));
      }
    });
  }
})();
