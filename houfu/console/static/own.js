// One's own factors and sessions, at the doors of sign-in: listed, added, removed. What they refuse is told as it is.
(() => {
  "use strict";
  document.addEventListener("alpine:init", () => {
    const { auth, surely, passkey, words } = window.houfu.doors;
    const when = (seconds) => new Date(seconds * 1000).toLocaleString("sv-SE", { timeZone: "Asia/Shanghai" }).slice(0, 16);
    const working = (verb) => async function (event) {
      const pressed = event?.currentTarget;
      if (pressed?.dataset?.sure && !(await window.houfu.confirm(pressed.dataset.sure))) return;
      this.busy = true; this.wrong = "";
      try { await verb.call(this, pressed); } catch (error) { this.wrong = error.message; } finally { this.busy = false; }
    };
    Alpine.data("own", () => ({
      busy: false, wrong: "", factors: [], mayTotp: false, secret: "", picture: "", code: "", proof: "", asksCode: false, waiting: null,
      init() { this.load().catch((error) => { this.wrong = error.message; }); },
      async load() {
        const found = (await surely(auth("GET", "account/authenticators"))).data;
        this.factors = found.map((each) => ({
          key: `${each.type}-${each.id || 0}`, type: each.type, id: each.id || "", name: each.name || words[`factor_${each.type}`] || each.type,
          added: when(each.created_at), removable: each.type !== "recovery_codes",
        }));
        this.mayTotp = !found.some((each) => each.type === "totp");
      },
      async proved(then) { // a change of factors wants a fresh proof first
        if ((await window.houfu.stepUp(null)) === "done") return then.call(this);
        this.waiting = then; this.asksCode = true;
        return undefined;
      },
      proveByCode: working(async function () {
        await window.houfu.stepUp(this.proof);
        this.asksCode = false; this.proof = "";
        await this.waiting.call(this);
      }),
      remove: working(async function ({ dataset: { kind, id } }) {
        await this.proved(async function () {
          const body = kind === "webauthn" ? { authenticators: [Number(id)] } : undefined;
          await surely(auth("DELETE", `account/authenticators/${kind}`, body));
          await this.load();
        });
      }),
      addPasskey: working(async function () {
        await this.proved(async function () { await passkey(); await this.load(); });
      }),
      beginTotp: working(async function () {
        await this.proved(async function () {
          const got = await auth("GET", "account/authenticators/totp");
          this.secret = got.said.meta?.secret || "";
          if (!this.secret) throw new Error(words.failed);
          this.picture = `/console/factor/picture?${Date.now()}`;
        });
      }),
      addTotp: working(async function () {
        await surely(auth("POST", "account/authenticators/totp", { code: this.code }));
        this.secret = this.picture = this.code = "";
        await this.load();
      }),
    }));
    Alpine.data("ownSessions", () => ({
      busy: false, wrong: "", sessions: [], hasOthers: false,
      init() { this.load().catch((error) => { this.wrong = error.message; }); },
      async load() { this.take((await surely(auth("GET", "auth/sessions"))).data); },
      take(found) {
        this.sessions = found.map((each) => ({
          id: each.id, ip: each.ip, agent: each.user_agent, since: when(each.created_at), current: each.is_current, other: !each.is_current,
        }));
        this.hasOthers = this.sessions.some((each) => each.other);
      },
      end: working(async function ({ dataset: { id } }) {
        this.take((await surely(auth("DELETE", "auth/sessions", { sessions: [Number(id)] }))).data);
      }),
      endOthers: working(async function () {
        const sessions = this.sessions.filter((each) => each.other).map((each) => each.id);
        this.take((await surely(auth("DELETE", "auth/sessions", { sessions }))).data);
      }),
    }));
  });
})();
