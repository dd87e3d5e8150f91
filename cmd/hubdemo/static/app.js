"use strict";

const byId = (id) => document.getElementById(id);
if (document.body.dataset.user) start();

function start() {
  const rooms = new Map(); // name: {messages, unread}
  let room = "";           // the one that is shown
  let socket = null;
  let attempts = 0;
  let timer = 0;
  let chatEnded = false;
  let done = false;        // logged out

  // Why a socket closed, in words. Below 4500 the page connects again by itself.
  const words = {
    1000: "closed", 1001: "going away", 1006: "connection lost", 1009: "the message was too big",
    1011: "the server had a problem", 1012: "the server restarts", 1013: "the server asks to try again later",
    4408: "this page was too slow", 4409: "there was a new login", 4429: "too many messages",
    4501: "the session ended", 4502: "the session expired", 4503: "too many connections",
  };

  function status(text, state) {
    const line = byId("status");
    line.textContent = text;
    line.dataset.state = state;
    byId("again").hidden = done || state !== "closed";
    enable();
  }

  function notice(text) {
    const line = byId("notice");
    line.textContent = text;
    line.hidden = !text;
  }

  function isOpen() { return socket !== null && socket.readyState === WebSocket.OPEN; }

  function connect() {
    clearTimeout(timer);
    if (socket) { socket.onclose = null; socket.close(); }
    status("connecting…", "connecting");
    chatEnded = false;
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
    if (code >= 4500 || done) {
      status(why, "closed");
      if (code === 4501 || code === 4502) signedOut();
      return;
    }
    // Random and growing, so that all pages do not come back at once (RFC 6455, section 7.2.3).
    const wait = Math.random() * Math.min(30000, 500 * 2 ** attempts++) + 100;
    status(`${why}, connecting again in ${Math.max(1, Math.round(wait / 1000))} s`, "waiting");
    timer = setTimeout(connect, wait);
  }

  // signedOut asks the server whether the session is over: the code may mean
  // another one, which this browser had before a login in another tab.
  async function signedOut() {
    const answer = await ask("/session");
    if (answer && answer.status === 401) over();
    if (answer && answer.ok && (await answer.json()).user !== document.body.dataset.user) location.reload();
  }

  // over hides what is nobody's business after a logout. Why the socket closed
  // stays to be read.
  function over() {
    done = true;
    clearTimeout(timer);
    sessionStorage.removeItem("rooms");
    rooms.clear();
    for (const part of document.querySelectorAll("[data-private]")) part.hidden = true;
    byId("log").replaceChildren();
    byId("who").hidden = true;
    byId("again").hidden = true;
    byId("welcome").hidden = false;
  }

  function receive(m) {
    if (m.error) {
      notice(m.error);
    } else if (m.ended) {
      chatEnded = true;
      status("this chat was logged out, the session goes on", "closed");
      refresh();
    } else if (m.room) {
      add(m);
    }
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
    scroll();
    list();
    enable();
  }

  function list() {
    byId("rooms").replaceChildren(...[...rooms].map(([name, r]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "# " + name + (r.unread ? ` (${r.unread} new)` : "");
      if (name === room) button.setAttribute("aria-current", "true");
      button.onclick = () => show(name);
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
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
    log.append(line(m));
    if (log.children.length > 200) log.firstChild.remove();
    scroll();
  }

  function line(m) {
    const at = document.createElement("time");
    at.dateTime = m.at;
    at.textContent = new Date(m.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const who = document.createElement("b");
    who.textContent = m.user;
    const item = document.createElement("li");
    item.append(at, who, m.text);
    return item;
  }

  function scroll() {
    const log = byId("log");
    log.scrollTop = log.scrollHeight;
    byId("empty").hidden = log.children.length > 0;
  }

  function enable() {
    const off = !isOpen() || !room || chatEnded;
    byId("text").disabled = off;
    document.querySelector("#send button").disabled = off;
  }

  // ask returns the answer, or null when there is none.
  async function ask(path, options) {
    try {
      return await fetch(path, options);
    } catch {
      notice("the server cannot be reached");
      return null;
    }
  }

  async function refresh() {
    const [devices, session] = await Promise.all([ask("/sessions"), ask("/session")]);
    if (devices && devices.ok) {
      byId("devices").replaceChildren(...(await devices.json()).map(device));
    }
    if (session && session.ok) {
      const chat = (await session.json()).namespaces.chat;
      const n = chat.sent || 0;
      byId("sent").textContent = `${n} ${n === 1 ? "message" : "messages"} sent in this chat.`;
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
    byId("took").hidden = false;
    const what = { session: "Logged out.", all: "Logged out everywhere.", others: "Logged out the other devices.", one: "Logged out the device.", namespace: "Logged out of the chat." };
    byId("took").textContent = took.store_ok
      ? `${what[scope]} Sockets closed on this node: ${took.closed_here}. Nodes that know: ${took.nodes_acked} of ${took.nodes_expected}.`
      : `Signed out on this server, the others follow as soon as they can be reached. Nodes that know: ${took.nodes_acked} of ${took.nodes_expected}.`;
    if (scope === "session" || scope === "all") over();
    else refresh();
  }

  let counted;
  byId("join").onsubmit = (event) => {
    event.preventDefault();
    enter(byId("room").value);
    byId("room").value = "";
    byId("text").focus();
  };
  byId("send").onsubmit = (event) => {
    event.preventDefault();
    const text = byId("text").value.trim();
    if (!text || !isOpen()) return;
    notice("");
    socket.send(JSON.stringify({ room, text }));
    byId("text").value = "";
    clearTimeout(counted); // the count, once for several messages in a row
    counted = setTimeout(refresh, 500);
  };
  for (const form of document.querySelectorAll(".logout")) {
    form.onsubmit = (event) => {
      event.preventDefault();
      const namespace = form.elements.namespace ? form.elements.namespace.value : "";
      logout(event.submitter.value, namespace && { namespace });
    };
  }
  byId("again").onclick = () => { notice(""); connect(); };
  byId("refresh").onclick = refresh;

  history.replaceState(null, "", "/"); // an error is shown once
  for (const name of JSON.parse(sessionStorage.getItem("rooms") || '["lobby"]')) enter(name);
  connect();
}
