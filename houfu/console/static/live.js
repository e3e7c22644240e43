// What moves by itself: a page that says `data-live` is shown anew when limits move, as the door tells at once (G7);
// and the tour, which leads through the main job from page to page.
(() => {
  "use strict";
  const GATHER = 1500; // milliseconds: what changes meanwhile is shown together
  const { words } = window.houfu;

  const follow = (place) => {
    let due = null, first = true;
    const look = () => {
      if (due || document.hidden) return;
      due = setTimeout(async () => {
        due = null;
        const answer = await fetch(location.href, { headers: { "X-Houfu-Listening": "1" }, credentials: "same-origin" });
        if (!answer.ok || answer.redirected) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-live-part]")) {
          const now = page.querySelector(`[data-live-part="${part.dataset.livePart}"]`);
          if (now && now.innerHTML !== part.innerHTML && !part.contains(document.activeElement) && !part.querySelector(":popover-open")) part.replaceChildren(...now.childNodes);
        }
      }, GATHER);
    };
    const source = new EventSource(place.dataset.live);
    source.addEventListener("snapshot", () => { if (!first) look(); first = false; });
    source.addEventListener("limit", look);
    addEventListener("pagehide", () => source.close());
  };

  const STEPS = [
    ["/console/", ".stat", "tour_money"],
    ["/console/orders", "#list", "tour_orders"],
    ["/console/payouts", '[data-tour="ask"]', "tour_payouts"],
    ["/console/payouts/new", "#quote", "tour_quote"],
    ["/console/approvals", "#list", "tour_approvals"],
  ];
  const seen = ([path, selector]) => path === "/console/payouts/new" ? document.querySelector('[data-tour="ask"], [data-tour="quote"]')
    : document.querySelector(`.side a[href="${path}"]`);
  const end = () => {
    sessionStorage.removeItem("houfu-tour");
    localStorage.setItem("houfu-toured", "yes");
    document.querySelector(".tour")?.remove();
    document.querySelectorAll(".tour-mark").forEach((each) => each.classList.remove("tour-mark"));
  };
  const go = (n) => {
    while (n < STEPS.length && !seen(STEPS[n])) n += 1;
    if (n >= STEPS.length) return end();
    sessionStorage.setItem("houfu-tour", String(n));
    if (location.pathname !== STEPS[n][0]) location.assign(STEPS[n][0]); else tell(n);
  };
  const button = (text, kind, verb) => Object.assign(document.createElement("button"), { type: "button", textContent: text, className: `button ${kind}`, onclick: verb });
  const tell = (n) => {
    document.querySelector(".tour")?.remove();
    const [, selector, word] = STEPS[n], box = document.createElement("section"), text = document.createElement("p"), buttons = document.createElement("div");
    box.className = "tour";
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-label", words.tour);
    box.tabIndex = -1;
    text.textContent = words[word];
    buttons.className = "actions";
    buttons.append(button(words.tour_next, "primary", () => go(n + 1)), button(words.tour_end, "quiet", end));
    box.append(Object.assign(document.createElement("strong"), { textContent: `${words.tour} ${n + 1}/${STEPS.length}` }), text, buttons);
    box.addEventListener("keydown", (event) => { if (event.key === "Escape") end(); });
    document.body.append(box);
    const marked = document.querySelector(selector);
    marked?.classList.add("tour-mark");
    marked?.scrollIntoView({ block: "nearest" });
    box.focus({ preventScroll: true });
  };

  document.addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("[data-live]");
    if (place) follow(place);
    const at = sessionStorage.getItem("houfu-tour");
    if (at !== null && STEPS[at]?.[0] === location.pathname) tell(Number(at));
    else if (document.querySelector('meta[name="houfu-trial-account"]') && !localStorage.getItem("houfu-toured") && location.pathname === "/console/") go(0);
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-tour-start]")) go(0); });
})();
