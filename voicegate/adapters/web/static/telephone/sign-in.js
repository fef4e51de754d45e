// What a backend's page would do: ask for a call, show how it goes, take the code.

const at = id => document.getElementById(id);

const SUBSCRIBER = "tester";
const STEPS = {
  queued: "Call is in progress…",
  originating: "Calling your telephone",
  ringing: "Your telephone rings",
  answered: "Answered",
  sending_extension: "Dialing your extension",
  awaiting_human: "Press the key that you are asked for, to hear the code",
  announcing: "Speaking the code",
};
const ENDINGS = {
  delivered: "The call is over: the code was spoken",
  busy: "Your telephone is busy",
  no_answer: "Nobody answered",
  rejected: "The call was declined",
  hung_up: "You hung up before the code was spoken",
  no_human: "No key was pressed, so the code was not spoken",
  reported: "Somebody pressed 9: they did not ask for the call",
};
const DENIALS = {
  wrong_passcode: "That is not the code.",
  locked: "Too many wrong codes: ask for another call.",
  expired: "This code has expired: ask for another call.",
  already_used: "This code was used already: ask for another call.",
  canceled: "This sign-in was canceled.",
  reported: "Somebody pressed 9 on the call: its code no longer counts.",
};

function label(step) {
  if (step.state === "ended") return ENDINGS[step.outcome] ?? `The call has ended: ${step.outcome}`;
  if (step.event === "reading_started" && step.reading > 1) return `Speaking the code again (${step.reading})`;
  return STEPS[step.state] ?? step.state;
}

function labels(timeline) {
  const all = timeline.map(label);
  return all.filter((text, index) => text !== all[index - 1]);
}

function say(text, kind = "") {
  at("result").textContent = text;
  at("result").className = kind;
}

/** Add what is new: what stands there already must not be announced again. */
function show(call) {
  const told = labels(call.timeline);
  for (const text of told.slice(at("steps").children.length)) {
    const item = document.createElement("li");
    item.textContent = text;
    at("steps").append(item);
  }
}

export function signIn(api, destination) {
  let id = null;

  async function follow(mine) {
    for (let revision = 0; id === mine; ) {
      const asked = await api.get(`/v1/verifications/${mine}?wait_s=25&since=${revision}`);
      if (id !== mine) return;
      if (!asked.ok) return say(asked.problem, "bad");
      revision = asked.body.revision;
      show(asked.body.call);
      if (asked.body.call.state === "ended") return (at("call-me").hidden = false);
    }
  }

  at("call-me").onclick = async () => {
    at("steps").replaceChildren();
    say("");
    at("match").hidden = true;
    const asked = await api.post("/v1/verifications", {
      destination,
      reference: "browser telephone",
      matching_digits: at("matching").checked,
    });
    if (!asked.ok) return say(asked.problem, "bad");
    const match = asked.body.matching_digits;
    at("match").querySelector("b").textContent = match ? [...match].join(" ") : "";
    at("match").hidden = !match;
    id = asked.body.id;
    at("call-me").hidden = true;
    at("call-me").textContent = "Call me again";
    at("verify").hidden = false;
    at("code").value = "";
    follow(id);
  };

  at("open-pages").onclick = async () => {
    // At once, for browsers let nobody open a window later.
    const beside = open("about:blank", "_blank", "popup,width=480,height=820");
    const asked = await api.post("/v1/page-sessions", { subscriber: SUBSCRIBER, purpose: "sign_in" });
    at("pages-problem").textContent = asked.ok ? "" : asked.problem;
    if (asked.ok) beside.location.replace(asked.body.url);
    else beside.close();
  };

  at("verify").onsubmit = async event => {
    event.preventDefault();
    const asked = await api.post(`/v1/verifications/${id}/check`, { passcode: at("code").value });
    if (!asked.ok) return say(asked.problem, "bad");
    if (asked.body.status === "denied") return say(DENIALS[asked.body.reason], "bad");
    at("verify").hidden = true;
    say("Done: you are signed in.", "good");
  };
}
