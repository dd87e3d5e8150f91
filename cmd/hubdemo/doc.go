// Hubdemo is a small chat on sessionhub: the page and its sockets share
// sessions, and a logout closes the sockets, on every node.
//
//	hubdemo [serve] --listen 127.0.0.1:8080 --redis redis://host:6379/0 --node NAME --public URL
//
// Without Redis it works alone. On loopback it makes two accounts to try it
// with and prints their passwords, then "hubdemo: listening on http://...".
// Behind a TLS proxy give it --public https://... and --trusted-proxies. Logs
// are JSON on stderr. SIGTERM drains; the exit status is 0 after that, 1 after
// an error, and 2 for a command line that cannot be meant.
//
// # Requests
//
//	POST /signup    {"user","password"}         200 {"id","user"} and logged in, 409 when taken
//	POST /login     {"user","password"}         200 {"id","user"}, 401 when they do not fit
//	POST /logout    {"scope","namespace","id"}  200 {"closed_here","nodes_acked","nodes_expected","store_ok"},
//	                                            503 with the same when the store failed
//	GET  /session                               200 {"id","user","namespaces"}, 401 without a session
//	GET  /sessions                              200 [{"id","created","last_seen","device","address","namespaces",
//	                                            "connections","current"}], the user's
//	GET  /ws                                    the socket
//	GET  /livez, /readyz                        200 or 503
//
// The scope of a logout is session (the default), others, all, one with the id
// of a session of the user, or namespace with its name. JSON is answered with JSON, {"error"} if it is refused; a form
// with 303 to the page, with a word that the page explains. A body has at most
// 4 KiB, and no fields but these.
//
// # Frames
//
// A text frame {"room","text"} is sent to everybody in the room, as
// {"room","user","text","at"}, and adds one to "sent" in the namespace chat. It
// joins the room too; without "text" it does nothing else. A room has a name of
// 1 to 32 of a to z, 0 to 9 and "-", a text 1 to 2000 characters; a socket is in
// at most 50 rooms. {"error"} answers what is refused, and changes nothing.
// {"ended":"chat"} says that the chat was logged out alone: the socket stays,
// and a new one has a new chat.
package main
