// The page: opened by an API key, it puts the telephone and the sign-in beside each other.
import { Api } from "./api.js";
import { signIn } from "./sign-in.js";
import { Telephone } from "./telephone.js";

const at = id => document.getElementById(id);
const REGISTERED = "Ready for calls.";

/** The key in the URL's fragment, which is taken out of the address bar; else the one of this tab. */
function findKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem("key", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("key");
}

function showUnlock(problem) {
  at("unlock").hidden = false;
  at("unlock-problem").textContent = problem;
  at("unlock").onsubmit = event => {
    event.preventDefault();
    sessionStorage.setItem("key", at("key").value.trim());
    at("unlock").hidden = true;
    open();
  };
}

function makeKeypad(press) {
  for (const key of "123456789*0#") {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = key;
    button.disabled = true;
    button.onclick = () => press(key);
    at("keypad").append(button);
  }
}

function showCall(telephone) {
  const { call } = telephone;
  at("answer").disabled = call !== "ringing";
  at("hang-up").disabled = call === null;
  at("telephone").classList.toggle("ringing", call === "ringing");
  for (const key of at("keypad").children) key.disabled = call !== "talking";
  const named = telephone.callerName ? `${telephone.callerName} · ${telephone.callerNumber}` : telephone.callerNumber;
  at("caller").textContent = call === null ? "" : named;
  if (call === "ringing") {
    at("pressed").textContent = "–";
    at("state").textContent = "Ringing…";
  } else if (call === "talking") {
    at("state").textContent = "Connected.";
  } else {
    at("level").value = 0;
    at("state").textContent = telephone.ending ? `${telephone.ending} ${REGISTERED}` : REGISTERED;
  }
}

function showReceived({ packets, lost, codec, level }) {
  at("level").value = level;
  at("received").textContent = `Received: ${packets} packets, ${lost} lost, ${codec}.`;
}

function startTelephone(account) {
  const telephone = new Telephone(account, at("sound"));
  telephone.onRegistered = is => {
    at("call-me").disabled = !is;
    if (telephone.call === null) at("state").textContent = is ? REGISTERED : "Not registered at the PBX: trying again…";
  };
  telephone.onCall = () => showCall(telephone);
  telephone.onReceived = showReceived;
  makeKeypad(key => {
    telephone.press(key);
    at("pressed").textContent = at("pressed").textContent.replace("–", "") + key;
  });
  at("answer").onclick = () => telephone.answer(at("microphone").checked);
  at("hang-up").onclick = () => telephone.hangUp();
  addEventListener("pagehide", () => telephone.stop());
  telephone.start();
}

async function open() {
  const key = findKey();
  if (!key) return showUnlock("");
  const api = new Api(key);
  const asked = await api.get("/lab/account");
  if (!asked.ok) {
    sessionStorage.removeItem("key");
    return showUnlock(asked.problem);
  }
  at("telephone").hidden = at("sign-in").hidden = false;
  at("destination").textContent = asked.body.destination;
  signIn(api, asked.body.destination);
  startTelephone(asked.body);
}

open();
