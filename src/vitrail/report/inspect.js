"use strict";
(() => {
  const data = JSON.parse(document.getElementById("maps").textContent);
  const looker = document.querySelector(".looker");
  const find = (selector) => looker.querySelector(selector);
  const view = find(".view"), photo = find(".view img"), canvas = find("canvas"), mark = find(".query");
  const said = find(".said"), slider = find("#layer"), label = find("output");
  const percent = (share) => (100 * share).toFixed(share < 0.0995 ? 1 : 0) + " %";
  const state = { image: 0, layer: data.layers.length - 1, head: 0, query: 0, held: false };
  const decoded = new Map();

  // A sheet is turned into a picture when it is first looked at: a page of many stays light.
  const sheet = () => {
    const key = state.image + "/" + state.layer;
    if (!decoded.has(key)) {
      const from = data.images[state.image].sheets[state.layer], picture = new Image();
      const bytes = Uint8Array.from(atob(from.shares), (letter) => letter.charCodeAt(0));
      picture.onload = draw;
      picture.src = from.src;
      decoded.set(key, { picture, across: from.across, shares: new DataView(bytes.buffer) });
    }
    return decoded.get(key);
  };

  const draw = () => {
    const image = data.images[state.image], [rows, columns] = image.grid, prefix = data.prefix.length;
    const { picture, across, shares } = sheet();
    const patch = state.query - prefix;
    mark.hidden = patch < 0;
    mark.classList.toggle("held", state.held);
    mark.style.cssText = `left:${100 * (patch % columns) / columns}%;top:${100 * Math.floor(patch / columns) / rows}%;` +
      `width:${100 / columns}%;height:${100 / rows}%`;
    canvas.width = 12 * columns;
    canvas.height = 12 * rows;
    const tile = state.head * (prefix + rows * columns) + state.query;
    if (!picture.complete || !picture.naturalWidth) return;
    // The map is cut out before it is enlarged, so that none of its neighbours is mixed in.
    const small = document.createElement("canvas"), paper = canvas.getContext("2d");
    small.width = columns;
    small.height = rows;
    small.getContext("2d").drawImage(picture, tile % across * columns, Math.floor(tile / across) * rows,
      columns, rows, 0, 0, columns, rows);
    paper.imageSmoothingEnabled = !image.tiny;
    paper.drawImage(small, 0, 0, canvas.width, canvas.height);
    const most = shares.getUint16(4 * tile, true) / 65535, before = shares.getUint16(4 * tile + 2, true) / 65535;
    const who = patch < 0 ? "The " + data.prefix[state.query]
      : `Patch in row ${Math.floor(patch / columns)}, column ${patch % columns}`;
    const head = state.head ? `head ${data.heads[state.head - 1]}` : "mean over all heads";
    said.textContent = `${who}, layer ${data.layers[state.layer]}, ${head}: ${percent(most)} of its attention goes to the ` +
      `patch that gets most` + (prefix ? `, ${percent(before)} to tokens that are no patches.` : ".") +
      (image.step > 1 ? ` A patch here stands for ${image.step} × ${image.step}.` : "");
  };

  const press = (place, number) => [...find(place).children].forEach((button, own) =>
    button.setAttribute("aria-pressed", String(own === number)));
  const show = (change) => {
    Object.assign(state, change);
    const image = data.images[state.image], patches = image.grid[0] * image.grid[1];
    state.query = Math.min(state.query, data.prefix.length + patches - 1);
    if (photo.alt !== image.name || !photo.src) {
      photo.src = image.src;
      photo.alt = image.name;
      view.style.aspectRatio = `${image.size[0]} / ${image.size[1]}`;
      view.classList.toggle("tiny", image.tiny);
    }
    label.textContent = data.layers[state.layer];
    press(".thumbs", state.image);
    press(".heads", state.head);
    press(".queries", state.query);
    draw();
  };
  const button = (place, text, act) => {
    const made = document.createElement("button");
    made.type = "button";
    if (typeof text === "string") made.textContent = text; else made.append(text);
    made.addEventListener("click", act);
    find(place).append(made);
  };
  data.images.forEach((image, number) => {
    const small = new Image();
    small.src = image.src;
    small.alt = image.name;
    small.title = image.name;
    small.className = image.tiny ? "tiny" : "";
    button(".thumbs", small, () => show({ image: number }));
  });
  ["mean", ...data.heads.map(String)].forEach((name, number) => button(".heads", name, () => show({ head: number })));
  data.prefix.forEach((name, number) => button(".queries", name, () => show({ query: number, held: true })));
  find(".before").hidden = !data.prefix.length;
  slider.max = data.layers.length - 1;
  slider.value = state.layer;
  slider.addEventListener("input", () => show({ layer: Number(slider.value) }));
  const at = (event) => {
    const box = view.getBoundingClientRect(), [rows, columns] = data.images[state.image].grid;
    const place = (from, length, count) => Math.min(count - 1, Math.max(0, Math.floor(from / length * count)));
    return data.prefix.length + place(event.clientY - box.top, box.height, rows) * columns +
      place(event.clientX - box.left, box.width, columns);
  };
  view.addEventListener("pointermove", (event) => { if (!state.held) show({ query: at(event) }); });
  view.addEventListener("click", (event) => {
    const query = at(event);
    show({ held: !(state.held && query === state.query), query });
  });
  const [rows, columns] = data.images[0].grid;
  looker.hidden = false;
  show({ query: data.prefix.length + Math.floor(rows / 2) * columns + Math.floor(columns / 2) });
})();
