// Sign-in, step-up, approval signatures and sign-out: what the browser's passkeys say goes to the doors under /auth as
// it is. A trial instance may keep passkeys for its demo's people; then it is asked in the device's place.
(() => {
  "use strict";
  const { words, cookie } = window.houfu;
  const trialAccount = () => document.querySelector('meta[name="houfu-trial-account"]')?.content || "";

  const send = async (method, path, body) => {
    const answer = await fetch(path, {
      method, credentials: "same-origin",
      headers: { "X-CSRFToken": cookie("__Host-houfu-csrf"), ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    return { status: answer.status, said };
  };
  const auth = (method, path, body) => send(method, `/auth/browser/v1/${path}`, body);
  const told = ({ status, said }) => {
    if (status === 429) return words.too_many;
    const code = said?.errors?.[0]?.code || said?.code || "";
    return words[`error_${code}`] || said?.errors?.[0]?.message || said?.title || words.failed;
  };
  const surely = async (answer) => {
    const got = await answer;
    if (got.status >= 400) throw new Error(told(got));
    return got.said;
  };

  // Let a passkey answer: the device's, or the trial's.
  const assertion = async (options, account = trialAccount()) => {
    const asked = options.publicKey || options;
    if (account) return surely(send("POST", "/console/trial/passkey", { account, challenge: asked.challenge }));
    try {
      return await SimpleWebAuthnBrowser.startAuthentication({ optionsJSON: asked });
    } catch (error) { throw new Error(words.passkey_failed); }
  };
  const byPasskey = async (step, account) => {
    const options = await surely(auth("GET", `auth/webauthn/${step}`));
    return surely(auth("POST", `auth/webauthn/${step}`, { credential: await assertion(options.data.request_options, account) }));
  };
  const factors = async () => (await surely(auth("GET", "account/authenticators"))).data.map((each) => each.type);

  // Make a passkey on this device.
  const passkey = async () => {
    const options = await surely(auth("GET", "account/authenticators/webauthn?passwordless"));
    let credential;
    try {
      credential = await SimpleWebAuthnBrowser.startRegistration({ optionsJSON: options.data.creation_options.publicKey || options.data.creation_options });
    } catch (error) { throw new Error(words.passkey_failed); }
    await surely(auth("POST", "account/authenticators/webauthn", { name: navigator.platform || "passkey", credential }));
  };
  window.houfu.doors = { auth, surely, passkey, words };

  // Prove once more who one is; "code" says that a code of the generator is wanted.
  window.houfu.stepUp = async (code) => {
    if (code !== null) { await surely(auth("POST", "auth/2fa/reauthenticate", { code })); return "done"; }
    if ((await factors()).includes("webauthn")) { await byPasskey("reauthenticate"); return "done"; }
    return "code";
  };
  window.houfu.sign = assertion;

  const next = () => {
    const asked = new URLSearchParams(location.search).get("next") || "/console/";
    const there = new URL(asked, location.origin);
    location.assign(there.origin === location.origin && there.pathname.startsWith("/console/") ? there.pathname + there.search : "/console/");
  };
  const enter = async () => { // to the page, or first to the factor that the role asks for
    const me = await surely(send("GET", "/v1/people/me"));
    if (me.problem) location.assign("/console/factor" + location.search); else next();
  };

  document.addEventListener("alpine:init", () => {
    const working = (verb) => async function () {
      this.busy = true; this.wrong = "";
      try { await verb.call(this); } catch (error) { this.wrong = error.message; } finally { this.busy = false; }
    };
    Alpine.data("signIn", () => ({
      busy: false, wrong: "", name: "", password: "", code: "", step: "name",
      get atName() { return this.step === "name"; },
      get atFactor() { return this.step === "factor"; },
      withPasskey: working(async function () {
        await byPasskey(this.step === "factor" ? "authenticate" : "login"); await enter();
      }),
      withPassword: working(async function () {
        const got = await auth("POST", "auth/login", { username: this.name, password: this.password });
        if (got.status === 200) return enter();
        if (got.status === 401 && got.said.data?.flows?.some((flow) => flow.id === "mfa_authenticate")) {
          this.step = "factor";
          return undefined;
        }
        throw new Error(told(got));
      }),
      withCode: working(async function () { await surely(auth("POST", "auth/2fa/authenticate", { code: this.code })); await enter(); }),
      asTrial: working(async function () { await byPasskey("login", this.account); await enter(); }),
      account: "",
      choose(event) { this.account = event.currentTarget.dataset.account; return this.asTrial(); },
    }));
    Alpine.data("invitation", () => ({
      busy: false, wrong: "", invitation: "", name: "", password: "", again: "",
      init() { this.invitation = location.hash.slice(1); },
      accept: working(async function () {
        if (this.password !== this.again) throw new Error(words.passwords_differ);
        await surely(send("POST", "/auth/accept", { invitation: this.invitation, username: this.name, password: this.password }));
        await surely(auth("POST", "auth/login", { username: this.name, password: this.password }));
        location.assign("/console/factor");
      }),
    }));
    Alpine.data("factor", () => ({
      busy: false, wrong: "", password: "", code: "", secret: "", picture: "", step: "password", kinds: [],
      get atPassword() { return this.step === "password"; },
      get atChoice() { return this.step === "choice"; },
      get atTotp() { return this.step === "totp"; },
      get hasPasskey() { return this.kinds.includes("webauthn"); },
      get hasTotp() { return this.kinds.includes("totp"); },
      get hasNone() { return !this.hasPasskey && !this.hasTotp; },
      init() { factors().then((kinds) => { this.kinds = kinds; if (this.hasPasskey || this.hasTotp) this.step = "choice"; }).catch(() => location.assign("/console/sign-in")); },
      prove: working(async function () { await surely(auth("POST", "auth/reauthenticate", { password: this.password })); this.step = "choice"; }),
      usePasskey: working(async function () { await byPasskey("reauthenticate"); next(); }),
      useCode: working(async function () { await surely(auth("POST", "auth/2fa/reauthenticate", { code: this.code })); await enter(); }),
      addPasskey: working(async function () {
        await passkey();
        await byPasskey("reauthenticate");
        next();
      }),
      beginTotp: working(async function () {
        const got = await auth("GET", "account/authenticators/totp");
        this.secret = got.said.meta?.secret || "";
        if (!this.secret) throw new Error(told(got));
        this.picture = `/console/factor/picture?${Date.now()}`;
        this.step = "totp";
      }),
      addTotp: working(async function () {
        await surely(auth("POST", "account/authenticators/totp", { code: this.code }));
        await surely(auth("POST", "auth/2fa/reauthenticate", { code: this.code })).catch(() => {});
        await enter();
      }),
    }));
  });

  document.addEventListener("click", async (event) => {
    if (!event.target.closest("[data-sign-out]")) return;
    await auth("DELETE", "auth/session"); // it answers 401: nobody is signed in any more
    location.assign("/console/sign-in");
  });
})();
