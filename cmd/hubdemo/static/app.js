"use strict";

const byId = (id) => document.getElementById(id);
if (document.body.dataset.user) start();

function start() {
  const me = document.body.dataset.user;
  const rooms = new Map(); // name: {messages, unread}
  let room = "";           // the one that is shown
  let socket = null;
  let attempts = 0;
  let timer = 0;
  let chatEnded = false;
  let done = false;        // logged out
  let waiting = [];        // texts that were sent and did not come back yet
  let late = 0;            // the timer that tells of them
  let counted = 0;         // the timer that asks how many were sent

  // Why a socket closed, in words. Below 4500 the page connects again by itself.
  const words = {
    1000: "closed", 1001: "going away", 1006: "connection lost", 1009: "the message was too big",
    1011: "the server had a problem", 1012: "the server restarts", 1013: "the server asks to try again later",
    4408: "this page was too slow", 4409: "there was a new login", 4429: "too many messages",
    4501: "the session ended", 4502: "the session expired", 4503: "too many connections",
  };

  function status(text, state) {
    const line = byId("status");
    if (line.textContent !== text) line.textContent = text; // else it is read out again
    line.dataset.state = state;
    byId("again").hidden = done || isOpen() && !chatEnded || state === "connecting";
    byId("again").textContent = chatEnded ? "Begin a new chat" : "Connect now";
    enable();
  }

  // unconfirmed says that messages wait. While its way to Redis is lost a node
  // keeps them, and the connection looks as well as ever.
  function unconfirmed() {
    clearTimeout(late);
    if (!isOpen() || chatEnded) return;
    const n = waiting.length;
    status(n ? `connected, ${n} of your messages ${n === 1 ? "is" : "are"} not accepted yet` : "connected", n ? "late" : "open");
  }

  function notice(text) {
    const line = byId("notice");
    line.textContent = text;
    line.hidden = !text;
  }

  // trouble tells of requests that failed, and takes it back when one succeeds.
  let troubled = "";
  function trouble(text) {
    if (text || byId("notice").textContent === troubled) notice(text);
    troubled = text;
  }

  function isOpen() { return socket !== null && socket.readyState === WebSocket.OPEN; }

  function connect() {
    clearTimeout(timer);
    if (socket) { socket.onclose = null; socket.close(); }
    chatEnded = false;
    status("connecting…", "connecting");
    const ws = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
    socket = ws;
    let steady = 0;
    ws.onopen = () => {
      // One that closes at once was not a success.
      steady = setTimeout(() => { attempts = 0; }, 5000);
      status("connected", "open");
      for (const name of rooms.keys()) ws.send(JSON.stringify({ room: name }));
      refresh();
    };
    ws.onmessage = (event) => receive(JSON.parse(event.data));
    ws.onclose = (event) => {
      clearTimeout(steady);
      closed(event.code, event.reason);
    };
  }

  function closed(code, reason) {
    const why = `closed: ${words[code] || reason || "no reason given"} (${code})`;
    keep();
    if (code === 4501 || code === 4502 || done) {
      status(why, "ended");
      if (!done) loggedOut();
      return;
    }
    if (code >= 4500) {
      status(why, "closed");
      return;
    }
    // Random and growing, so that all pages do not come back at once (RFC 6455, section 7.2.3).
    const wait = Math.random() * Math.min(30000, 500 * 2 ** attempts++) + 100;
    status(`${why}, connecting again in ${Math.max(1, Math.round(wait / 1000))} s`, "waiting");
    timer = setTimeout(connect, wait);
  }

  // keep puts the last message that did not come back where it can be sent
  // again: whether it was accepted nobody knows.
  function keep() {
    clearTimeout(late);
    if (waiting.length === 0 || done) return;
    notice("what you said last may not have been accepted");
    byId("text").value ||= waiting.at(-1);
    waiting = [];
  }

  // loggedOut asks the server whether the session is over: the code may mean
  // another one, which this browser had before a login in another tab.
  async function loggedOut() {
    const answer = await ask("/session");
    if (answer && answer.status === 401) over();
    if (answer && answer.ok && (await answer.json()).user !== me) location.reload();
  }

  // over hides what is nobody's business after a logout. Why the socket closed
  // stays to be read.
  function over() {
    done = true;
    for (const t of [timer, late, counted]) clearTimeout(t);
    if (["connecting", "waiting"].includes(byId("status").dataset.state)) status("not connected", "ended");
    sessionStorage.removeItem("rooms");
    rooms.clear();
    for (const part of document.querySelectorAll("[data-private]")) part.hidden = true;
    byId("log").replaceChildren();
    byId("text").value = "";
    notice("");
    byId("who").hidden = true;
    byId("again").hidden = true;
    byId("welcome").hidden = false;
    byId(byId("took").hidden ? "status" : "took").focus(); // what had it is hidden
  }

  function receive(m) {
    if (m.error) {
      notice(m.error);
      waiting = [];
      unconfirmed();
    } else if (m.ended) {
      chatEnded = true;
      keep();
      status("the chat was logged out, you are still logged in", "ended");
      refresh();
    } else if (m.room) {
      add(m);
      if (m.user === me) accepted(m.text);
    }
  }

  // accepted notes that a message of this user came back, from this tab or
  // another one.
  function accepted(text) {
    const i = waiting.indexOf(text);
    if (i >= 0) waiting.splice(i, 1);
    if (waiting.length === 0 || byId("status").dataset.state === "late") unconfirmed();
    clearTimeout(counted); // the count, once for several messages in a row
    counted = setTimeout(refresh, 500);
  }

  function enter(name) {
    if (!rooms.has(name)) {
      // All are joined again at once when the socket comes back, and 40 frames
      // at once are what the server takes.
      if (rooms.size === 30) {
        notice("this page is in 30 rooms already");
        return;
      }
      rooms.set(name, { messages: [], unread: 0 });
      if (isOpen()) socket.send(JSON.stringify({ room: name }));
    }
    sessionStorage.setItem("rooms", JSON.stringify([...rooms.keys()]));
    show(name);
  }

  function show(name) {
    room = name;
    rooms.get(name).unread = 0;
    byId("room-title").textContent = "# " + name;
    byId("log").replaceChildren(...rooms.get(name).messages.map(line));
    scroll(true);
    list();
    enable();
  }

  function list() {
    const focused = document.activeElement.dataset.room; // the buttons are new ones below
    byId("rooms").replaceChildren(...[...rooms].map(([name, r]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "# " + name + (r.unread ? ` (${r.unread} new)` : "");
      button.dataset.room = name;
      if (name === room) button.setAttribute("aria-current", "true");
      button.onclick = () => show(name);
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
    if (focused) document.querySelector(`[data-room="${focused}"]`).focus();
  }

  function add(m) {
    const r = rooms.get(m.room);
    if (!r) return;
    r.messages.push(m);
    if (r.messages.length > 200) r.messages.shift();
    if (m.room !== room) {
      r.unread++;
      list();
      return;
    }
    const log = byId("log");
    // Who reads further up stays there.
    const atEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 40;
    log.append(line(m));
    if (log.children.length > 200) log.firstChild.remove();
    scroll(atEnd || m.user === me);
  }

  function line(m) {
    const at = document.createElement("time");
    at.dateTime = m.at;
    at.textContent = new Date(m.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const who = document.createElement("b");
    who.textContent = m.user;
    const text = document.createElement("bdi"); // a text from right to left leaves the name alone
    text.textContent = m.text;
    const item = document.createElement("li");
    item.append(at, " ", who, " ", text);
    return item;
  }

  function scroll(toEnd) {
    const log = byId("log");
    if (toEnd) log.scrollTop = log.scrollHeight;
    byId("empty").hidden = log.children.length > 0;
  }

  // enable leaves the field alone while there is no connection: what is being
  // written, and the focus, stay in it.
  function enable() {
    byId("text").disabled = !room;
    document.querySelector("#send button").disabled = !isOpen() || !room || chatEnded;
  }

  // ask returns the answer, or null when there is none.
  async function ask(path, options) {
    try {
      return await fetch(path, options);
    } catch {
      trouble("the server cannot be reached");
      return null;
    }
  }

  async function refresh() {
    const [devices, session] = await Promise.all([ask("/sessions"), ask("/session")]);
    if (devices && devices.status === 503) trouble((await devices.json()).error);
    if (devices && devices.ok) {
      trouble("");
      byId("devices").replaceChildren(...(await devices.json()).map(device));
    }
    if (session && session.ok) {
      const chat = (await session.json()).namespaces.chat;
      const n = chat.sent || 0;
      byId("sent").textContent = `${n} ${n === 1 ? "message" : "messages"} sent in this chat, from all tabs of this device.`;
    }
  }

  function device(d) {
    const item = document.createElement("li");
    item.append(d.device || "unknown device");
    if (d.current) {
      const mark = document.createElement("em");
      mark.textContent = "this one";
      item.append(mark);
    }
    const times = document.createElement("span");
    const day = (t) => new Date(t).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    const open = d.connections === 1 ? "1 socket" : `${d.connections} sockets`;
    times.textContent = [`since ${day(d.created)}`, `last seen ${day(d.last_seen)}`, open, d.address].filter(Boolean).join(", ");
    item.append(times);
    if (!d.current) {
      const end = document.createElement("button");
      end.type = "button";
      end.textContent = "Log out";
      end.setAttribute("aria-label", `Log out ${d.device || "unknown device"}`);
      end.onclick = () => logout("one", { id: d.id });
      item.prepend(end);
    }
    return item;
  }

  async function logout(scope, which) {
    const answer = await ask("/logout", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ scope, ...which }),
    });
    if (!answer) return;
    const took = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
    if (took.error) {
      notice(took.error);
      return;
    }
    const what = { session: "Logged out.", all: "Logged out everywhere.", others: "Logged out the other devices.", one: "Logged out the device.", namespace: "Logged out of the chat." };
    const owed = took.store_ok ? "" : " The store cannot be reached now, the other nodes follow when it can.";
    byId("took").textContent = `${what[scope]}${owed} Sockets closed on this node: ${took.closed_here}. Nodes that ended it: ${took.nodes_acked} of ${took.nodes_expected}.`;
    byId("took").dataset.state = took.store_ok ? "done" : "owed";
    byId("took").hidden = false;
    if (scope === "session" || scope === "all") over();
    else refresh();
  }

  byId("join").onsubmit = (event) => {
    event.preventDefault();
    enter(byId("room").value);
    byId("room").value = "";
    byId("text").focus();
  };
  byId("send").onsubmit = (event) => {
    event.preventDefault();
    const text = byId("text").value.trim();
    if (!text || !isOpen() || chatEnded) return;
    notice("");
    socket.send(JSON.stringify({ room, text }));
    byId("text").value = "";
    waiting.push(text);
    clearTimeout(late);
    late = setTimeout(unconfirmed, 1000);
  };
  for (const form of document.querySelectorAll(".logout")) {
    form.onsubmit = (event) => {
      event.preventDefault();
      const namespace = form.elements.namespace ? form.elements.namespace.value : "";
      logout(event.submitter.value, namespace && { namespace });
    };
  }
  byId("again").onclick = () => { notice(""); connect(); byId("text").focus(); };
  byId("refresh").onclick = refresh;

  history.replaceState(null, "", "/"); // an error is shown once
  for (const name of JSON.parse(sessionStorage.getItem("rooms") || '["lobby"]')) enter(name);
  connect();
}
