// What is wrong with a page, found in the page: `looking.py` calls these by name. Each returns a list of sentences.
({
  visible(element) {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
    const box = element.getBoundingClientRect(), clip = getComputedStyle(element).clipPath;
    return box.width > 1 && box.height > 1 && clip !== "inset(50%)";
  },

  name(element) {
    const text = (element.getAttribute("aria-label") || element.textContent || "").trim().replace(/\s+/g, " ");
    const kind = element.getAttribute("class");
    const where = element.closest("[id]");
    const dot = kind ? "." + kind.trim().split(/\s+/).join(".") : "";
    return `${element.tagName.toLowerCase()}${dot} ${text.slice(0, 40)} (in #${where ? where.id : "?"})`;
  },

  // Every run of text that a reader sees: [its element, its text node].
  *texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || element.closest("script, style, title, desc, defs, option")) continue;
      if (this.visible(element)) yield [element, node];
    }
  },

  smallText(least) {
    const found = [];
    for (const [element] of this.texts()) {
      const matrix = element instanceof SVGElement ? element.getScreenCTM() : null;
      const scale = matrix ? Math.hypot(matrix.a, matrix.b) : 1;
      const size = parseFloat(getComputedStyle(element).fontSize) * scale;
      if (size < least - 0.05) found.push(`${size.toFixed(1)} px: ${this.name(element)}`);
    }
    return found;
  },

  // Colours as [r, g, b, a], blended in sRGB as the browser does.
  colour(text) {
    if (!this.pen) {
      const one = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
      this.pen = one.getContext("2d", { willReadFrequently: true });
      this.colours = new Map();
    }
    if (!this.colours.has(text)) {
      this.pen.clearRect(0, 0, 1, 1);
      this.pen.fillStyle = text;
      this.pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = this.pen.getImageData(0, 0, 1, 1).data;
      this.colours.set(text, [r, g, b, a / 255]);
    }
    return this.colours.get(text);
  },
  over(top, below) {
    return [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  },
  opacity(element) {
    let share = 1;
    for (let node = element; node; node = node.parentElement) share *= parseFloat(getComputedStyle(node).opacity);
    return share;
  },
  paint(element, kind) {
    const style = getComputedStyle(element);
    if (style[kind] === "none" || style[kind].startsWith("url")) return null;
    const [r, g, b, a] = this.colour(style[kind]);
    return [r, g, b, a * parseFloat(style[`${kind}Opacity`]) * this.opacity(element)];
  },
  contrast(one, other) {
    const light = ([r, g, b]) => {
      const part = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
      return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
    };
    const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  },
  // What lies below a point of an element. Everything drawn there, from the page upwards, `element` and what is over
  // it left out; the viewport must hold the whole page.
  below(element, x, y) {
    const stack = document.elementsFromPoint(x, y);
    const place = stack.findIndex((one) => one === element || element.contains(one));
    const under = stack.slice(place + 1).filter((one) => !element.contains(one));
    let result = [255, 255, 255, 1];
    for (const one of under.reverse()) {
      if (one instanceof SVGGeometryElement) {
        const fill = this.paint(one, "fill");
        if (fill) result = this.over(fill, result);
      } else if (!(one instanceof SVGElement) || one.tagName === "svg") {
        const back = this.colour(getComputedStyle(one).backgroundColor);
        result = this.over([back[0], back[1], back[2], back[3] * this.opacity(one)], result);
      }
    }
    return result;
  },
  middle(node) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = [...range.getClientRects()].find((one) => one.width > 0 && one.height > 0);
    return box ? [box.x + box.width / 2, box.y + box.height / 2] : null;
  },

  faintText(least) {
    const found = new Set();
    for (const [element, node] of this.texts()) {
      const point = this.middle(node);
      if (!point || !document.elementsFromPoint(...point).includes(element)) continue; // scrolled out of its frame
      if (element.closest(":disabled")) continue;
      const svg = element instanceof SVGElement;
      const given = svg ? this.paint(element, "fill") : this.colour(getComputedStyle(element).color);
      const back = this.below(element, ...point);
      const own = svg ? [0, 0, 0, 0] : this.colour(getComputedStyle(element).backgroundColor);
      const paper = this.over(own, back);
      const ink = svg ? given : [given[0], given[1], given[2], given[3] * this.opacity(element)];
      const ratio = this.contrast(this.over(ink, paper), paper);
      if (ratio < least) found.add(`${ratio.toFixed(2)}: ${this.name(element)}`);
    }
    return [...found];
  },

  // Shapes that carry numbers: of a series or in ink; grids, bands and cells of a heat map are read with others.
  *marks(root) {
    const all = ["paper", "ink", "muted", "grid", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "good", "bad"];
    for (const shape of root.querySelectorAll("path, circle, rect, line, polyline, polygon, ellipse, use")) {
      const coloured = shape.closest(all.map((kind) => `.${kind}`).join());
      const kind = coloured && all.find((one) => coloured.classList.contains(one));
      if (kind && !["paper", "muted", "grid"].includes(kind) && shape.checkVisibility()) yield shape;
    }
  },
  faintMarks(least) {
    const found = new Set();
    for (const svg of document.querySelectorAll("figure svg")) {
      const paper = this.under(svg);
      for (const shape of this.marks(svg)) {
        const style = getComputedStyle(shape);
        if (parseFloat(style.fillOpacity) < 1 && style.stroke === "none") continue; // a band or a cell
        const paints = ["stroke", "fill"].map((kind) => this.paint(shape, kind)).filter((paint) => paint && paint[3]);
        const ratio = Math.max(0, ...paints.map((paint) => this.contrast(this.over(paint, paper), paper)));
        if (ratio < least) found.add(`${ratio.toFixed(2)}: ${this.name(shape)}`);
      }
    }
    return [...found];
  },
  // The colour of a picture's paper: its first rectangle, or what the page has behind it.
  under(svg) {
    const first = svg.querySelector(":scope > rect");
    const fill = first && this.paint(first, "fill");
    if (fill && fill[3] === 1) return fill;
    for (let node = svg; node; node = node.parentElement) {
      const back = this.colour(getComputedStyle(node).backgroundColor);
      if (back[3] === 1) return back;
    }
    return [255, 255, 255, 1];
  },

  emptyFigures() {
    const figures = [...document.querySelectorAll("figure")];
    const drawn = (figure) => [...figure.querySelectorAll("svg")].some((svg) =>
      [...this.marks(svg)].some((shape) => {
        const box = shape.getBBox();
        return box.width + box.height > 0;
      }));
    return figures.filter((figure) => !drawn(figure)).map((figure) => `no marks: figure #${figure.id}`);
  },
  unnamedFigures() {
    const found = [];
    for (const svg of document.querySelectorAll("figure svg")) {
      const said = ["title", "desc"].map((tag) => svg.querySelector(`:scope > ${tag}`)?.textContent.trim());
      if (!["img", "group"].includes(svg.getAttribute("role")) || !said[0] || !said[1]) found.push(this.name(svg));
    }
    for (const figure of document.querySelectorAll("figure")) {
      if (!figure.querySelector("details table tbody td")) found.push(`no numbers: figure #${figure.id}`);
    }
    return found;
  },

  // What a phone would have to scroll sideways for.
  wide() {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const frame = (element) => {
      for (let node = element.parentElement; node; node = node.parentElement) {
        if (/auto|scroll|hidden|clip/.test(getComputedStyle(node).overflowX)) return node;
      }
      return null;
    };
    return [...document.body.querySelectorAll("*")]
      .filter((one) => one.getBoundingClientRect().right > width + 1 && [null, document.body].includes(frame(one)))
      .map((one) => `${Math.round(one.getBoundingClientRect().right)} px: ${this.name(one)}`).slice(0, 20);
  },

  headings() {
    const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((one) => [+one.tagName[1], one]);
    const found = levels.filter(([level]) => level === 1).length === 1 ? [] : ["not one h1"];
    levels.forEach(([level, one], place) => {
      if (level > (place ? levels[place - 1][0] : 0) + 1) found.push(`jumps to ${one.tagName}: ${one.textContent}`);
    });
    return found;
  },

  brokenLinks() {
    const ids = new Set([...document.querySelectorAll("[id]")].map((one) => one.id));
    const twice = [...document.querySelectorAll("[id]")].map((one) => one.id).filter((id, at, all) => all.indexOf(id) < at);
    return [...document.querySelectorAll("a[href^='#']")]
      .filter((link) => !ids.has(decodeURIComponent(link.getAttribute("href").slice(1))))
      .map((link) => `leads nowhere: ${link.getAttribute("href")} ${this.name(link)}`)
      .concat(twice.map((id) => `id used twice: ${id}`));
  },

  // Elements of one Tab key: a group of radio buttons, or of links that the arrow keys walk, is one stop of several.
  focusable() {
    const all = document.querySelectorAll(
      "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex], [contenteditable]");
    return [...all].filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true }));
  },

  visited: new Set(),
  // Notes what has the focus; null when that is nothing, or not for the first time.
  visit() {
    const now = document.activeElement;
    if (!now || now === document.body || this.visited.has(now)) return null;
    this.visited.add(now);
    return this.name(now);
  },
  kind(element) {
    return [element.tagName, element.getAttribute("class"), element.type, element.getAttribute("role")].join(" ");
  },
  missed() {
    // Of a group of radio buttons the Tab key visits one.
    const grouped = (one) => one.type === "radio" && [...this.visited].some((other) => other.name === one.name);
    return this.focusable().filter((one) => !this.visited.has(one) && !grouped(one))
      .map((one) => `not visited: ${this.name(one)}`);
  },

  // What answers the mouse alone. `heard` is filled by the script that runs before the page's own (`looking.py`).
  mouseOnly() {
    const keyed = "a[href], button, input, select, textarea, summary, label, [tabindex]";
    const found = [];
    for (const [element, kinds] of window.heard || []) {
      if (!(element instanceof Element) || !element.isConnected) continue;
      const mouse = [...kinds].filter((kind) => /^(click|dblclick|mouse|pointer|touch)/.test(kind));
      if (!mouse.length || element.matches(keyed)) continue;
      const keys = kinds.has("keydown") || kinds.has("keyup") || kinds.has("input") || kinds.has("focusin");
      if (!keys || !element.querySelector(keyed)) found.push(`${mouse.join(", ")}: ${this.name(element)}`);
    }
    for (const element of document.querySelectorAll("[onclick], [onmouseover], [onmousedown]")) {
      if (!element.matches(keyed)) found.push(`handler: ${this.name(element)}`);
    }
    for (const element of document.querySelectorAll("body *")) {
      if (getComputedStyle(element).cursor === "pointer" && !element.closest(keyed)) {
        found.push(`looks clickable: ${this.name(element)}`);
      }
    }
    return found;
  },

  moving() {
    const running = document.getAnimations().map((one) => `moves: ${this.name(one.effect.target)}`);
    const rolled = getComputedStyle(document.documentElement).scrollBehavior === "smooth" ? ["scrolls smoothly"] : [];
    const slow = [...document.querySelectorAll("body *")].filter((one) =>
      getComputedStyle(one).transitionDuration.split(",").some((part) => parseFloat(part) > 0.01));
    return [...running, ...rolled, ...slow.map((one) => `changes slowly: ${this.name(one)}`)];
  },
})
