// Package web gives HTTP handlers their sessions.
//
// [Sessions] is a middleware for chi, or for anything that takes
// func(http.Handler) http.Handler. Behind it handlers use [session.Get],
// [session.Login] and their kin with the request's context. [NewRouter] is a
// chi router with the middleware in place, and a guard against forms that
// other sites send.
//
// # Save, then send
//
// What a handler changed is saved when its response begins: at the first final
// WriteHeader, Write or Flush, at a 101, or when it returns without any of
// them. Informational responses (1xx but 101) save nothing. The header goes out
// after the save, and [session.OnSaved] functions run in between. If the save
// fails, nothing of the response leaves: its body is swallowed (Write returns
// the error), the fields that described it are dropped, and the client gets
// the status and the sentence of [Status] instead.
//
// What is changed later, as while a body is streamed, is saved when the
// handler returns. An error is then only logged, because there is nobody left
// to tell: use [session.Scope.Save] where it matters.
//
// # What is not saved
//
// Nothing is saved for a response with a status of 500 or more (unless
// [Options.SaveOnServerError] says so) and after a panic, which goes on to
// whoever recovers it. A logout has acted at once and stays. A handler that
// returns without an answer when its deadline has passed, as under a Timeout
// middleware, is answered with 504, and nothing of it is saved.
//
// A hijacked connection is the hijacker's: the changes made until then are
// saved with the 101, or at the Hijack when there was no 101, and what the
// handler does afterwards needs a scope of its own.
//
// # Cookies and caches
//
// A request that never asks for a session costs no trip to the store, and its
// response is as it would be without this package. One that asks has a Vary:
// Cookie, and Cache-Control: no-store when the visitor has a session and the
// handler chose nothing else.
//
// A cookie is sent when a session is created, logged in or renewed, and not
// again when it is modified: the late answer to a request with the previous
// secret would overwrite the cookie of a login that overtook it. Timeouts
// slide in the store and not in the browser. With [prefixes.SaveAlways] the
// cookie is sent with every response, as Django does, and that is its price.
//
// # Concurrency
//
// Everything here may be used from any goroutine but a response, which belongs
// to its handler's.
package web
