// The console's behaviour: htmx speaks JSON with the session's token, refusals land where the form keeps them, and
// drawers, confirmations, toasts and switches are the same everywhere. Nothing here decides anything.
(() => {
  "use strict";
  const $ = (selector, within = document) => within.querySelector(selector);
  const words = JSON.parse($('meta[name="houfu-words"]')?.content || "{}");
  const cookie = (name) => document.cookie.split("; ").find((each) => each.startsWith(name + "="))?.slice(name.length + 1) || "";
  const prefer = (name, value) => { document.cookie = `${name}=${value}; Path=/; SameSite=Strict; Max-Age=${value ? 31536000 : 0}`; };
  const unhex = (said) => new TextDecoder().decode(Uint8Array.from(said.match(/../g) || [], (byte) => parseInt(byte, 16)));
  const houfu = (window.houfu = { words, cookie });

  // Requests -------------------------------------------------------------------------------------------------------
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    ctx.request.headers["X-CSRFToken"] = cookie("__Host-houfu-csrf");
    if (/every /.test(ctx.sourceElement.getAttribute("hx-trigger") || "")) ctx.request.headers["X-Houfu-Listening"] = "1";
    if (!(ctx.request.body instanceof URLSearchParams)) return;
    const said = {};
    for (const name of new Set(ctx.request.body.keys())) {
      const all = ctx.request.body.getAll(name);
      said[name] = all.length > 1 || name.endsWith("[]") ? all : all[0];
    }
    ctx.request.body = JSON.stringify(said);
    ctx.request.headers["Content-Type"] = "application/json";
  });

  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail, headers = ctx.response.headers;
    if (headers.get("X-Houfu-Toast")) sessionStorage.setItem("houfu-toast", unhex(headers.get("X-Houfu-Toast")));
    if (ctx.response.status === 204 || headers.get("X-Houfu-Go")) {
      event.preventDefault();
      const go = headers.get("X-Houfu-Go");
      if (go && go !== location.pathname + location.search) location.assign(go); else location.reload();
      return;
    }
    if (ctx.response.status < 400) return;
    if (headers.get("X-Houfu-Step-Up") && !ctx.sourceElement.dataset.steppedUp) {
      event.preventDefault();
      const again = ctx.sourceElement;
      houfu.confirm(words.step_up, { stepUp: true }).then((yes) => {
        if (!yes) return;
        again.dataset.steppedUp = "once";
        htmx.trigger(again, again.matches("form") ? "submit" : "click");
      });
      return;
    }
    const form = ctx.sourceElement.closest("form");
    ctx.target = (form && $(".refusal", form)) || $("dialog[open] .refusal") || $("#refusal");
    ctx.swap = "innerHTML";
    ctx.select = null;
    ctx.push = ctx.replace = null;
  });
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    const form = ctx.sourceElement.closest("form");
    if (form && ctx.request.method !== "GET") $(".refusal", form)?.replaceChildren();
  });
  document.addEventListener("htmx:error", () => houfu.toast(words.unreachable, "bad"));

  // Files ------------------------------------------------------------------------------------------------------------
  const UPLOAD_MAX = 15e6; // bytes of all files of a form, which go as base64 into one body
  document.addEventListener("change", async ({ target }) => {
    const name = target.dataset?.upload;
    if (!name) return;
    const { form } = target, send = $("button.primary", form), said = $(".refusal", form);
    form.querySelectorAll(`input[name^="${name}_"]`).forEach((each) => each.remove());
    said.replaceChildren();
    if ([...target.files].reduce((sum, file) => sum + file.size, 0) > UPLOAD_MAX) {
      target.value = "";
      said.textContent = words.files_too_large;
      return;
    }
    send.disabled = true; // until all of it is there
    for (const file of target.files) {
      const url = await new Promise((then) => { const reader = new FileReader(); reader.onload = () => then(reader.result); reader.readAsDataURL(file); });
      for (const [part, value] of [["name", file.name], ["content", url.slice(url.indexOf(",") + 1)]]) {
        form.append(Object.assign(document.createElement("input"), { type: "hidden", name: `${name}_${part}[]`, value }));
      }
    }
    send.disabled = false;
  });

  // Confirmation, with step-up where it is asked for ------------------------------------------------------------------
  houfu.confirm = (text, { stepUp = false } = {}) => new Promise((resolve) => {
    const box = $("#confirm");
    $("[data-confirm-text]", box).textContent = text;
    $("[data-confirm-step-up]", box).hidden = !stepUp;
    $("[data-confirm-code]", box).hidden = true;
    $(".refusal", box).replaceChildren();
    const yes = $("[data-confirm-yes]", box), no = $("[data-confirm-no]", box), code = $("#confirm-code");
    code.value = "";
    const end = (answer) => { yes.onclick = no.onclick = box.onclose = null; if (box.open) box.close(); resolve(answer); };
    no.onclick = () => end(false);
    box.onclose = () => end(false);
    yes.onclick = async () => {
      if (!stepUp) return end(true);
      yes.disabled = true;
      try {
        const proved = await houfu.stepUp($("[data-confirm-code]", box).hidden ? null : code.value);
        if (proved === "code") { $("[data-confirm-code]", box).hidden = false; code.focus(); } else end(true);
      } catch (error) {
        $(".refusal", box).textContent = error.message;
      } finally { yes.disabled = false; }
    };
    box.showModal();
    yes.focus();
  });
  document.addEventListener("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    event.preventDefault();
    const { sign, steppedUp, ...rest } = ctx.sourceElement.dataset;
    if (steppedUp) return issueRequest(); // confirmed already, and proven since
    houfu.confirm(ctx.confirm, { stepUp: "stepUp" in rest }).then(async (yes) => {
      if (!yes) return dropRequest();
      if (sign) try {
        const said = await houfu.sign(JSON.parse(sign));
        const parts = { credential_id: said.rawId, authenticator_data: said.response.authenticatorData, client_data: said.response.clientDataJSON, signature: said.response.signature };
        for (const [name, value] of Object.entries(parts)) ctx.request.body.set(name, value);
      } catch (error) {
        houfu.toast(error.message, "bad");
        return dropRequest();
      }
      return issueRequest();
    });
  });

  // Drawer ---------------------------------------------------------------------------------------------------------
  document.addEventListener("htmx:after:swap", () => {
    const drawer = $("#drawer");
    if (drawer && $("#drawer-body").childElementCount && !drawer.open && !drawer.dataset.closing) {
      drawer.showModal();
      drawer.setAttribute("aria-label", $(".drawer-head h2", drawer)?.textContent || "");
    }
    chosen();
  });
  const chosen = () => document.querySelectorAll("tr.chosen").forEach((row) => { if (!$("#drawer")?.open) row.classList.remove("chosen"); });
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-drawer-close], [data-language], [data-theme-to], [data-theme-toggle], [data-toast-close], tr[data-row]");
    if (event.target.id === "drawer") return event.target.close();
    if (!target) return;
    if ("drawerClose" in target.dataset) $("#drawer").close();
    else if ("toastClose" in target.dataset) target.closest(".toast").remove();
    else if ("language" in target.dataset) { prefer("houfu-language", target.dataset.language); location.reload(); }
    else if ("themeTo" in target.dataset) theme(target.dataset.themeTo);
    else if ("themeToggle" in target.dataset) theme(dark() ? "light" : "dark");
    else if (!event.target.closest("a, button, input, label, select")) $("a[hx-get], a[href]", target)?.click();
    if (event.target.closest("tr[data-row]")) event.target.closest("tr[data-row]").classList.add("chosen");
  });
  document.addEventListener("close", (event) => {
    if (event.target.id !== "drawer") return;
    $("#drawer-body").replaceChildren();
    chosen();
  }, true);

  // Theme, language, store -----------------------------------------------------------------------------------------
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const theme = (to) => {
    prefer("houfu-theme", to);
    document.documentElement.dataset.theme = to;
    document.dispatchEvent(new CustomEvent("houfu:theme"));
  };
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-store-switch]")) return;
    prefer("houfu-store", event.target.value);
    const here = new URL(location.href);
    here.searchParams.delete("store");
    here.searchParams.delete("cursor");
    location.assign(here);
  });

  // Explanations find their place beside what they explain ------------------------------------------------------------
  document.addEventListener("toggle", (event) => {
    const body = event.target;
    if (!body.matches?.(".why-body") || event.newState !== "open") return;
    const from = $(`[popovertarget="${body.id}"]`).getBoundingClientRect(), size = body.getBoundingClientRect();
    body.style.left = `${Math.max(12, Math.min(from.left - 12, innerWidth - size.width - 12))}px`;
    body.style.top = `${from.bottom + size.height + 12 > innerHeight ? Math.max(8, from.top - size.height - 6) : from.bottom + 6}px`;
  }, true);

  // Toasts ---------------------------------------------------------------------------------------------------------
  houfu.toast = (text, tone = "") => {
    const box = $("#toasts"), toast = document.createElement("div"), close = document.createElement("button");
    toast.className = `toast ${tone}`;
    toast.append(Object.assign(document.createElement("span"), { textContent: text }));
    Object.assign(close, { type: "button", className: "button quiet small", textContent: "×" });
    close.dataset.toastClose = "";
    close.setAttribute("aria-label", words.close);
    toast.append(close);
    box.append(toast);
    if (!box.matches(":popover-open")) box.showPopover();
    setTimeout(() => { toast.remove(); if (!box.childElementCount && box.matches(":popover-open")) box.hidePopover(); }, 6000);
  };
  document.addEventListener("DOMContentLoaded", () => {
    const left = sessionStorage.getItem("houfu-toast");
    if (left) { sessionStorage.removeItem("houfu-toast"); houfu.toast(left); }
  });

  // Alpine ---------------------------------------------------------------------------------------------------------
  document.addEventListener("alpine:init", () => {
    Alpine.data("pop", () => ({ open: false, toggle() { this.open = !this.open; }, close() { this.open = false; } }));
    Alpine.data("shell", () => ({ open: false, toggle() { this.open = !this.open; }, get side() { return this.open ? "open" : ""; } }));
  });
})();
