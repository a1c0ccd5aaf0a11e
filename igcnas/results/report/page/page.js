"use strict";
// Plain JavaScript without a library: one page whose text, pictures and numbers the server has made. What is left is to
// show, hide and sort them, and a plotting library would be ten times larger than all else on the page.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("data").textContent);
  const networks = new Map(data.networks.map((network) => [network.number, network]));
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, text = "") => Object.assign(document.createElement(name), { textContent: text });
  let chosen = data.chosen;

  // The rows of the table answer to #network-17 where there is no script; with one the panel does.
  const rows = new Map();
  for (const row of all("tr[id^=network-]")) {
    rows.set(Number(row.id.slice("network-".length)), row);
    row.removeAttribute("id");
  }

  // One network, closely

  const panel = document.getElementById("network");
  const field = (name) => find(`[data-field="${name}"]`, panel);

  function describe(list, pairs) {
    list.replaceChildren(
      ...pairs.map(([term, value]) => {
        const pair = make("div");
        pair.append(make("dt", term), make("dd", value));
        return pair;
      }),
    );
  }

  // Pictures come packed, and are unpacked when a second network is asked for: the page itself shows the first.
  let unpacking = null;

  async function unpack() {
    const bytes = Uint8Array.from(atob(data.pictures), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  function stage(svg, number) {
    const frame = make("div");
    frame.className = "scroll";
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", `Block of stage ${number}`);
    frame.innerHTML = svg; // drawn by igcnas, never by who named something
    return frame;
  }

  async function draw(network) {
    unpacking ??= unpack();
    const pictures = await unpacking;
    if (network.number !== chosen) return; // another one was chosen meanwhile
    field("strip").hidden = network.strip === null;
    field("strip").innerHTML = network.strip === null ? "" : pictures[network.strip];
    const shown = (one, place) => (typeof one === "string" ? make("p", one) : stage(pictures[one], place + 1));
    field("stages").replaceChildren(...network.stages.map(shown));
  }

  function lines(name, paths) {
    const drawing = find(`[data-paths="${name}"]`, panel);
    if (!drawing) return;
    drawing.replaceChildren(
      ...paths.map((path) => {
        const line = document.createElementNS(SVG, "path");
        line.setAttribute("d", path);
        return line;
      }),
    );
  }

  function part(name, shown) {
    const element = find(`[data-part="${name}"]`, panel);
    if (element) element.hidden = !shown;
  }

  function fill(network) {
    field("title").textContent = network.title;
    field("label").textContent = network.label;
    field("remarks").replaceChildren(...network.remarks.map((word) => make("span", word)));
    describe(field("facts"), network.facts);
    describe(field("choices"), network.choices);
    lines("loss", network.loss);
    lines("accuracy", network.accuracy);
    part("choices", network.choices.length);
    part("curves", network.loss.length);
    part("command", network.command);
    const words = network.command.split(" ").flatMap((word) => [" ", make("span", word)]);
    find('[data-part="command"] code', panel).replaceChildren(...words.slice(1));
    draw(network);
  }

  // The address keeps the choice, so that it can be sent; hidden points and points elsewhere can be chosen, too.
  function choose(number) {
    const network = networks.get(number);
    if (!network) return false;
    rows.get(chosen)?.classList.remove("chosen");
    rows.get(number)?.classList.add("chosen");
    const other = number !== chosen;
    chosen = number;
    if (other) fill(network);
    const point = points.find((other) => other.number === number);
    if (ring) ring.style.display = point && shown(point) ? "" : "none";
    if (point) {
      ring.setAttribute("x", `${point.x}%`);
      ring.setAttribute("y", `${point.y}%`);
      focusable(point);
    }
    return true;
  }

  function address(number) {
    if (location.hash !== `#network-${number}`) location.replace(`#network-${number}`);
  }

  const addressed = () => Number((/^#network-(\d+)$/.exec(location.hash) ?? [])[1] ?? NaN);

  // The front

  const plot = find(".front .plot");
  const tip = find(".tip");
  const ring = find(".ring");
  const points = plot ? all("a[data-number]", plot).map(point) : [];
  let last = { x: -99, y: -99 }; // where the last click was

  function point(link) {
    const title = find("title", link);
    const [use] = link.getElementsByTagNameNS(SVG, "use");
    const lines = title.textContent.split("\n");
    title.remove(); // the browser's own tooltip would stand over ours
    link.setAttribute("aria-label", lines.join(". "));
    const place = (name) => parseFloat(use.getAttribute(name));
    return { link, lines, group: link.parentNode, number: Number(link.dataset.number), x: place("x"), y: place("y") };
  }

  const shown = (point) => !point.group.hasAttribute("hidden");

  function focusable(point) {
    for (const other of points) if (other.link.tabIndex === 0) other.link.tabIndex = -1;
    point.link.tabIndex = 0;
  }

  // Visible points within a radius in pixels, the nearest first; of equally near ones the one that lies on top.
  function near(event) {
    const box = plot.getBoundingClientRect();
    const radius = event.pointerType === "touch" ? 26 : 14;
    const found = [];
    for (const point of points) {
      const across = box.left + (point.x / 100) * box.width - event.clientX;
      const down = box.top + (point.y / 100) * box.height - event.clientY;
      const distance = Math.hypot(across, down);
      if (distance <= radius && shown(point)) found.push({ point, distance });
    }
    found.reverse().sort((a, b) => a.distance - b.distance);
    return found.map((each) => each.point);
  }

  function show(several) {
    const [point, ...others] = several;
    tip.replaceChildren(...point.lines.map((line, place) => make(place ? "p" : "strong", line)));
    if (others.length) {
      const names = others.slice(0, 3).map((other) => `${other.lines[0]}, ${other.lines[2]}`);
      if (others.length > 3) names.push(`and ${others.length - 3} more`);
      const more = make("div");
      more.className = "more";
      more.append(make("p", "Also here; choose again for the next:"), ...names.map((name) => make("p", name)));
      tip.append(more);
    }
    tip.hidden = false;
    // Beside the point where there is room for it, else under or over it.
    const box = plot.getBoundingClientRect();
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const [x, y] = [(point.x / 100) * box.width, (point.y / 100) * box.height];
    const [least, most] = [8 - box.left, document.documentElement.clientWidth - 8 - width - box.left];
    const beside = [x + 16, x - 16 - width].find((left) => left >= least && left <= Math.min(most, box.width - width));
    const under = y + 20 + height + box.top < innerHeight ? y + 20 : y - 20 - height;
    tip.style.left = `${beside ?? Math.max(least, Math.min(x - width / 2, most))}px`;
    tip.style.top = `${beside === undefined ? under : Math.max(y - height / 2, 4 - box.top)}px`;
  }

  const hide = () => (tip.hidden = true);

  function click(event) {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const keyboard = event.detail === 0; // Enter on a link
    const linked = points.find((point) => point.link.contains(event.target));
    let several = keyboard && linked ? [linked] : near(event);
    if (linked || several.length) event.preventDefault();
    if (!several.length) return hide();
    const again = !keyboard && Math.hypot(event.clientX - last.x, event.clientY - last.y) < 5;
    const place = several.findIndex((point) => point.number === chosen);
    const first = again && place >= 0 ? (place + 1) % several.length : 0;
    several = [...several.slice(first), ...several.slice(0, first)];
    last = { x: event.clientX, y: event.clientY };
    choose(several[0].number);
    address(chosen);
    show(several);
    // Where several lie here, a second click must find the same place.
    if (several.length === 1) find("h2", panel).scrollIntoView({ block: "nearest" });
  }

  // Left and right by cost, up and down by accuracy.
  function key(event) {
    if (event.key === "Escape") return hide();
    const current = points.find((point) => point.link === document.activeElement);
    const visible = points.filter(shown);
    const order = {
      ArrowRight: (a, b) => a.x - b.x || b.y - a.y,
      ArrowLeft: (a, b) => b.x - a.x || a.y - b.y,
      ArrowUp: (a, b) => b.y - a.y || a.x - b.x,
      ArrowDown: (a, b) => a.y - b.y || b.x - a.x,
      Home: (a, b) => a.x - b.x || b.y - a.y,
      End: (a, b) => b.x - a.x || a.y - b.y,
    }[event.key];
    if (!current || !order || !visible.length) return;
    event.preventDefault();
    visible.sort(order);
    const place = event.key === "Home" || event.key === "End" ? 0 : visible.indexOf(current) + 1;
    const next = visible[Math.min(place, visible.length - 1)];
    focusable(next);
    next.link.focus({ preventScroll: true });
  }

  function legend(button) {
    const visible = button.getAttribute("aria-pressed") === "false";
    button.setAttribute("aria-pressed", String(visible));
    find(`.group[data-group="${button.dataset.group}"]`, plot).toggleAttribute("hidden", !visible);
    const current = points.find((point) => point.number === chosen);
    if (ring) ring.style.display = current && shown(current) ? "" : "none";
    const stop = points.find((point) => point.link.tabIndex === 0);
    const some = points.find(shown);
    if (some && !(stop && shown(stop))) focusable(some);
    hide();
  }

  if (plot) {
    const frame = plot.parentNode;
    frame.addEventListener("pointermove", (event) => {
      if (event.pointerType === "touch") return;
      const several = near(event);
      frame.style.cursor = several.length ? "pointer" : "";
      if (several.length) show(several);
      else hide();
    });
    frame.addEventListener("pointerleave", (event) => event.pointerType === "touch" || hide());
    frame.addEventListener("click", click);
    frame.addEventListener("keydown", key);
    for (const point of points) {
      point.link.addEventListener("focus", () => point.link.matches(":focus-visible") && show([point]));
      point.link.addEventListener("blur", hide);
    }
    for (const button of all(".legend button")) button.addEventListener("click", () => legend(button));
  }

  // The table

  function sort(table, column, head) {
    const body = find("tbody", table);
    const numeric = head.classList.contains("number");
    const fresh = numeric ? "descending" : "ascending"; // large numbers are what one looks for
    const other = { ascending: "descending", descending: "ascending" };
    const direction = other[head.getAttribute("aria-sort")] ?? fresh;
    for (const each of all("th", table)) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const value = (row) => {
      const text = row.cells[column].textContent;
      return numeric ? parseFloat(text.replaceAll(",", "")) : text;
    };
    const empty = (one) => one === "" || Number.isNaN(one);
    const sorted = [...body.rows].map((row) => ({ row, value: value(row) }));
    sorted.sort((a, b) => {
      if (empty(a.value) || empty(b.value)) return empty(a.value) - empty(b.value); // last either way
      return sign * (numeric ? a.value - b.value : a.value.localeCompare(b.value));
    });
    body.append(...sorted.map((each) => each.row));
  }

  const table = find("table.networks");
  if (table) {
    all("th", table).forEach((head, column) => {
      const button = make("button", head.textContent);
      button.type = "button";
      button.addEventListener("click", () => sort(table, column, head));
      head.replaceChildren(button);
    });
  }

  // Commands are copied; where the browser does not let us, they are marked to be copied by hand.
  for (const block of all(".command")) {
    const button = make("button", "Copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      const code = find("code", block);
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Marked";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    block.append(button);
  }

  // Contents: closed on a phone, and again once a place was picked.
  const contents = find("nav details");
  const narrow = matchMedia("(max-width: 64rem)");
  const fold = () => (contents.open = !narrow.matches);
  narrow.addEventListener("change", fold);
  contents.addEventListener("click", (event) => event.target.closest("a") && fold());
  fold();

  function follow() {
    if (choose(addressed())) panel.scrollIntoView();
  }
  addEventListener("hashchange", () => addressed() !== chosen && follow());
  if (panel) choose(chosen);
  follow();
  // A link to the network that is shown already changes no address, yet the reader wants to see it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("main a[href^='#network-']");
    if (link && !plot?.contains(link)) setTimeout(follow);
  });
})();
