// Makes the pages live; without it they work by forms and refreshing.
"use strict";

const live = document.getElementById("live");
const announce = document.getElementById("announce");
const shown = {};
const code = document.getElementById("code");

function countDown() {
  for (const button of document.querySelectorAll("button[data-wait]")) {
    const end = performance.now() + Number(button.dataset.wait) * 1000;
    delete button.dataset.wait;
    const tick = () => {
      const left = Math.ceil((end - performance.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? button.dataset.text.replace("%", left) : button.dataset.ready;
      if (left > 0 && button.isConnected) setTimeout(tick, 250);
    };
    tick();
  }
}

function show(html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html; // our own, escaped by the server
  for (const part of fresh.content.querySelectorAll("[data-part]")) {
    const place = document.getElementById(part.dataset.part);
    if (part.dataset.code) document.getElementById("enter").hidden = part.dataset.code === "no";
    if (part.innerHTML.trim() !== shown[part.dataset.part]) place.replaceChildren(...part.cloneNode(true).childNodes);
    shown[part.dataset.part] = part.innerHTML.trim();
  }
  const news = live.querySelector("#outcome, .note") || live.querySelector("[aria-current]");
  if (news && announce && announce.textContent !== news.textContent) announce.textContent = news.textContent;
  countDown();
}

function retry() {
  // What a person is typing must not be lost.
  setTimeout(() => (code && code.value ? retry() : location.replace(location.pathname)), 4000);
}

if (live && live.dataset.events && window.EventSource) {
  const source = new EventSource(live.dataset.events);
  source.addEventListener("live", (event) => show(event.data));
  source.addEventListener("moved", () => { source.close(); location.replace(location.pathname); });
  source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) retry(); });
}
countDown();

const number = document.querySelector("[data-format]");
if (number) {
  const country = document.getElementById("country");
  let asked = 0;
  const format = async () => {
    const typed = number.value, turn = ++asked;
    if (typed.replace(/\D/g, "").length < 4 || number.selectionStart !== typed.length) return;
    const body = new URLSearchParams(new FormData(number.form));
    try {
      const answer = await fetch(number.dataset.format, { method: "POST", body });
      const text = answer.ok ? await answer.text() : "";
      if (text && turn === asked && number.value === typed) number.value = text;
    } catch { /* the number stays as it was typed */ }
  };
  number.addEventListener("input", format);
  country.addEventListener("change", format);
}

// A second press while the first is under way says nothing new.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 4000);
  });
}
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
