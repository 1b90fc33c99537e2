"use strict";
// The trajectory microscope: tokens coloured by their share of the gradient at any p, from the JSON of its section.
(() => {
  // ---- the mathematics of pmpo.power_mean: c log ratios, rho weights, slope dc/dl, p the exponent --------------------
  const sum = (values) => values.reduce((total, value) => total + value, 0);

  function terms(c, rho, p) {
    const peak = c.reduce((most, value, t) => (rho[t] > 0 ? Math.max(most, p * value) : most), -Infinity);
    return c.map((value, t) => (rho[t] > 0 ? Math.exp(p * value - peak) : 0));
  }

  function weights(c, rho, p) {
    const weighted = terms(c, rho, p).map((e, t) => rho[t] * e);
    const total = sum(weighted);
    return weighted.map((value) => (total > 0 ? value / total : 0));
  }

  function ess(c, rho, p) {
    const e = terms(c, rho, p);
    const first = sum(e.map((value, t) => rho[t] * value)), second = sum(e.map((value, t) => rho[t] * value * value));
    return second > 0 ? Math.min(1, (first * first) / (sum(rho) * second)) : 1;
  }

  function mean(c, rho, p) {
    const total = sum(rho);
    if (!(total > 0)) return 1;
    const centre = sum(c.map((value, t) => rho[t] * value)) / total;
    if (p === 0) return Math.exp(centre);
    const x = c.map((value, t) => (rho[t] > 0 ? p * (value - centre) : 0));
    const peak = Math.max(0, x.reduce((most, value) => Math.max(most, value), -Infinity));
    const excess = peak <= 40
      ? Math.log1p(sum(x.map((value, t) => rho[t] * Math.expm1(value))) / total)
      : peak + Math.log(sum(x.map((value, t) => rho[t] * Math.exp(value - peak))) / total);
    return Math.exp(centre + excess / p);
  }

  // Of the gradient: the weight in the mean, where the trust region lets it through.
  function shares(c, rho, slope, p) {
    const passed = weights(c, rho, p).map((w, t) => w * slope[t]);
    const total = sum(passed);
    return passed.map((value) => (total > 0 ? value / total : 0));
  }

  // Against an equal share of what passes: 1 is four times as much or more, -1 a quarter or less, 0 an equal share.
  function heats(of, rho, slope) {
    const passing = rho.map((weight, t) => weight > 0 && slope[t] !== 0);
    const count = passing.filter(Boolean).length;
    return of.map((share, t) => {
      if (!passing[t]) return 0;
      return Math.max(-1, Math.min(1, Math.round(500 * Math.log2(share * count)) / 1000));
    });
  }

  if (typeof module !== "undefined") {
    module.exports = { weights, ess, mean, shares, heats };
    return;
  }

  // ---- the page ------------------------------------------------------------------------------------------------------
  const STATES = {
    i: "inside the trust region", o: "outside the trust region, not clipped", c: "clipped", m: "not trained on",
  };
  const SVG = "http://www.w3.org/2000/svg";

  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made && key !== "role") made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function drawn(name, attributes, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  const percent = (share) => {
    const value = 100 * share;
    if (value === 0 || value === 100) return `${value} %`;
    return value < 0.01 ? "< 0.01 %" : `${value.toPrecision(value < 1 ? 1 : value > 99.5 ? 4 : 2)} %`;
  };
  const short = (value) => (value === undefined ? "–" : String(Number(value.toPrecision(3))).replace("-", "−"));
  const signed = (value) => (value > 0 ? "+" : "") + short(value);

  function prepared(one) {
    const rho = one.weight ?? [...one.state].map((state) => (state === "m" ? 0 : 1));
    const c = one.clipped_log_ratio ?? one.log_ratio;
    const slope = one.slope ?? [...one.state].map((state) => (state === "c" ? 0 : 1));
    return { ...one, rho, c, slope, over: one.ess_over === "unclipped" ? one.log_ratio : c };
  }

  function start(place) {
    const completions = JSON.parse(document.getElementById(`data-${place.dataset.section}`).textContent).completions;
    const id = place.dataset.section;
    const limit = Math.max(4, ...completions.map((one) => Math.ceil(Math.abs(one.exponent))));
    const choice = element("select", { id: `${id}-choice` });
    const groups = new Map();
    completions.forEach((one, k) => {
      if (!groups.has(one.group)) groups.set(one.group, element("optgroup", { label: one.group }));
      groups.get(one.group).append(element("option", { value: String(k), textContent: one.label }));
    });
    choice.append(...groups.values());
    const slider = element("input", { type: "range", id: `${id}-p`, min: String(-limit), max: String(limit), step: "0.01" });
    const value = element("output", { htmlFor: `${id}-p` });
    const presets = [["p = 1", () => 1], ["p = 0", () => 0], ["the solved p", () => now.exponent]].map(([label, of]) =>
      [element("button", { type: "button", textContent: label }), of]);
    const prompt = element("p", { className: "prompt" });
    const tokens = element("div", { className: "tokens", role: "listbox", tabIndex: 0, "aria-orientation": "horizontal",
      "aria-label": "Tokens, coloured by their share of the gradient; arrow keys move from one to the next" });
    const detail = element("table", { className: "detail" });
    const facts = element("table", { className: "facts" });
    const [curve, along] = [1, 2].map(() => drawn("svg", { viewBox: "0 0 340 252", width: "340", height: "252", role: "img" }));
    place.replaceChildren(
      element("div", { className: "controls" },
        element("label", { htmlFor: `${id}-choice`, textContent: "Completion " }), choice,
        element("span", { className: "exponent" }, element("label", { htmlFor: `${id}-p`, textContent: "Exponent p " }), slider, value),
        element("span", { className: "presets" }, ...presets.map(([button]) => button))),
      prompt, tokens, element("div", { className: "lens" }, along, curve, detail, facts));

    let now, active = 0, spans = [];

    function select(k) {
      now = prepared(completions[k]);
      choice.value = String(k);
      prompt.textContent = now.prompt;
      spans = now.tokens.map((text, t) => element("span",
        { className: `token state-${now.state[t]}`, id: `${id}-t${t}`, role: "option", textContent: text }));
      tokens.replaceChildren(...spans);
      const top = shares(now.c, now.rho, now.slope, now.exponent);
      active = Math.max(0, top.indexOf(Math.max(...top)));
      slider.value = String(now.exponent);
      show(now.exponent);
    }

    function show(p) {
      const of = shares(now.c, now.rho, now.slope, p), heat = heats(of, now.rho, now.slope);
      spans.forEach((span, t) => {
        span.classList.toggle("less", heat[t] < 0);
        span.style.setProperty("--heat", String(Math.abs(heat[t])));
      });
      const most = of.indexOf(Math.max(...of));
      const effective = ess(now.over, now.rho, p);
      value.textContent = short(p);
      slider.setAttribute("aria-valuetext",
        `p ${short(p)}: effective share of tokens ${short(effective)}, largest share ${percent(of[most])}`);
      for (const [button, at] of presets) button.setAttribute("aria-pressed", String(Math.abs(at() - p) < 0.005));
      drawCurve(p, effective);
      describe(p);
      focus(active, p);
    }

    function focus(t, p) {
      spans[active]?.setAttribute("aria-selected", "false");
      active = t;
      const span = spans[t];
      if (!span) return;
      const at = (exponent) => shares(now.c, now.rho, now.slope, exponent)[t];
      span.setAttribute("aria-selected", "true");
      span.setAttribute("aria-label", `Token ${t + 1}, ${now.tokens[t]}: ${percent(at(p))} of the gradient at p ` +
        `${short(p)}, log ratio ${signed(now.log_ratio[t])}, ${STATES[now.state[t]]}`);
      tokens.setAttribute("aria-activedescendant", span.id);
      drawShares(p);
      rows(detail, `Token ${t + 1} of ${spans.length}: ${now.tokens[t]}`, [
        [`share at p = ${short(p)}`, percent(at(p))],
        ["share at p = 1", percent(at(1))],
        ["share at p = 0", percent(at(0))],
        [`share at the solved p = ${short(now.exponent)}`, percent(at(now.exponent))],
        ["log ratio, nats", `${signed(now.log_ratio[t])} (ratio ${short(Math.exp(now.log_ratio[t]))})`],
        ["after the trust region", signed(now.c[t])],
        ["clip", STATES[now.state[t]]],
        ...(now.weight ? [["token weight ρ", short(now.rho[t])]] : []),
        ...(now.slope[t] !== 0 && now.slope[t] !== 1 ? [["gradient let through", short(now.slope[t])]] : []),
      ]);
    }

    function describe(p) {
      rows(facts, "Completion", [
        ["advantage A", signed(now.advantage)],
        ["solved p", short(now.exponent)],
        ["clip fraction f, one-sided", short(now.clip_fraction)],
        ["f, two-sided", short(now.clip_fraction_two_sided)],
        ["target ESS τ", short(now.target_ess)],
        [`ESS at p = ${short(p)}`, short(ess(now.over, now.rho, p))],
        [`mean ratio M at p = ${short(p)}`, short(mean(now.c, now.rho, p))],
        ...(now.stopped ? [["sequence clip", "clipped as a whole: no token gets a gradient"]] : []),
        ...(now.omitted ? [["tokens not kept", `${now.omitted[0]} before these, ${now.omitted[1]} after them`]] : []),
      ]);
    }

    function rows(table, caption, lines) {
      table.replaceChildren(element("caption", { textContent: caption }), element("tbody", {}, ...lines.map(([name, text]) =>
        element("tr", {}, element("th", { scope: "row", textContent: name }), element("td", { textContent: text })))));
    }

    const MUTED = { fill: "currentColor", class: "muted", "font-size": "13" };

    // Axes of a picture of 340 by 252: x(at) and y(at) are places in pixels, from data in their own units.
    function axes(picture, title, [low, high], top, xticks, yticks, names) {
      const x = (at) => 68 + ((at - low) / (high - low || 1)) * 260, y = (at) => 172 - (at / top) * 158;
      picture.replaceChildren(drawn("title", {}, title),
        ...yticks.flatMap(([at, text]) => [
          drawn("line", { stroke: "currentColor", class: "grid", x1: 68, x2: 328, y1: y(at), y2: y(at) }),
          drawn("text", { ...MUTED, x: 62, y: y(at) + 4, "text-anchor": "end" }, text)]),
        ...xticks.map((at) => drawn("text", { ...MUTED, x: x(at), y: 190, "text-anchor": "middle" }, short(at))),
        drawn("text", { ...MUTED, x: 198, y: 209, "text-anchor": "middle" }, names[0]),
        drawn("text", { ...MUTED, x: 12, y: 92, "text-anchor": "middle", transform: "rotate(-90 12 92)" }, names[1]));
      return { x, y };
    }

    function line(points, kind, dash = "", width = 2) {
      return drawn("polyline", { points: points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "), fill: "none",
        stroke: "currentColor", "stroke-width": width, "stroke-dasharray": dash, class: kind });
    }

    function drawCurve(p, effective) {
      const { x, y } = axes(curve, `Effective share of tokens against p: ${short(effective)} at p = ${short(p)}`,
        [-limit, limit], 1, [-limit, -limit / 2, 0, limit / 2, limit], [[0, "0"], [0.5, "0.5"], [1, "1"]], ["exponent p", "nESS(p)"]);
      if (now.target_ess !== undefined) {
        const at = y(now.target_ess);
        curve.append(line([[68, at], [328, at]], "muted", "4 3", 1),
          drawn("text", { ...MUTED, x: 326, y: at < 28 ? at + 15 : at - 5, "text-anchor": "end" }, "τ"));
      }
      const points = Array.from({ length: 161 }, (_, k) => (k / 80 - 1) * limit);
      curve.append(line(points.map((at) => [x(at), y(ess(now.over, now.rho, at))]), "c1"),
        drawn("circle", { cx: x(now.exponent), cy: y(ess(now.over, now.rho, now.exponent)), r: 5, fill: "currentColor", class: "c1" }),
        drawn("circle", { cx: x(p), cy: y(effective), r: 7, fill: "none", stroke: "currentColor", "stroke-width": 2.5, class: "c2" }),
        drawn("text", { ...MUTED, x: 68, y: 232 }, "full dot: the solved p; ring: the slider's"));
    }

    function drawShares(p) {
      const series = [["p = 0", 0, "c4", "2 3"], ["p = 1", 1, "c3", "7 3"], ["solved", now.exponent, "c1", ""],
        [`p = ${short(p)}`, p, "c2", ""]].map(([name, at, kind, dash]) =>
        [name, shares(now.c, now.rho, now.slope, at), kind, dash, kind === "c2" ? 3 : 2]);
      const top = Math.max(1e-6, ...series.map(([, of]) => Math.max(...of))), count = spans.length;
      const { x, y } = axes(along, `Share of the gradient, token by token, at p = 0, 1, ${short(now.exponent)} and ${short(p)}`,
        [1, count], top, [...new Set([1, Math.round((count + 1) / 2), count])], [0, top / 2, top].map((at) => [at, percent(at)]),
        ["token", "share"]);
      along.append(line([[x(active + 1), 14], [x(active + 1), 172]], "muted", "4 3", 1));
      series.forEach(([name, of, kind, dash, width], k) => {
        const left = 68 + (k % 2) * 140, down = 230 + Math.floor(k / 2) * 18;
        along.append(line(of.map((share, t) => [x(t + 1), y(share)]), kind, dash, width),
          line([[left, down - 4], [left + 26, down - 4]], kind, dash, width),
          drawn("text", { fill: "currentColor", "font-size": "13", x: left + 32, y: down }, name));
      });
    }

    const p = () => (Math.abs(slider.value - now.exponent) < 0.005 ? now.exponent : Number(slider.value));
    slider.addEventListener("input", () => show(p()));
    for (const [button, at] of presets) {
      button.addEventListener("click", () => { slider.value = String(at()); show(p()); });
    }
    choice.addEventListener("change", () => {
      select(Number(choice.value));
      const said = document.getElementById("said");
      if (said) said.textContent = `${now.label}: ${spans.length} tokens`;
    });
    tokens.addEventListener("keydown", (event) => {
      const last = spans.length - 1;
      const to = { ArrowRight: active + 1, ArrowDown: active + 1, ArrowLeft: active - 1, ArrowUp: active - 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      focus(Math.min(last, Math.max(0, to)), p());
      spans[active].scrollIntoView({ block: "nearest" });
    });
    tokens.addEventListener("click", (event) => {
      const t = spans.indexOf(event.target);
      if (t >= 0) focus(t, p());
    });
    function follow() {
      const k = location.hash.startsWith(`#${id}-c`) ? Number(location.hash.slice(id.length + 3)) : -1;
      if (!completions[k]) return false;
      select(k);
      place.scrollIntoView();
      tokens.focus({ preventScroll: true });
      return true;
    }
    addEventListener("hashchange", follow);
    if (!follow()) select(0);
  }

  for (const place of document.querySelectorAll(".microscope[data-section]")) start(place);
})();
