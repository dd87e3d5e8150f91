package main

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sessionhub/sessionhub/session"
)

// answer sends v as JSON, or a form's sender back to the page.
func (d *demo) answer(w http.ResponseWriter, r *http.Request, in input, code int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	if in.form {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		d.log.DebugContext(r.Context(), "answer", "path", r.URL.Path, "error", err)
	}
}

// refuse answers an error.
func (d *demo) refuse(w http.ResponseWriter, r *http.Request, in input, err error) {
	p := d.problem(r, err)
	if p.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	if in.form {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, "/?error="+p.word, http.StatusSeeOther)
		return
	}
	d.answer(w, r, in, p.status, refusal{p.text})
}

// problem returns what the client is told of an error. What is not the
// client's own doing is logged, and told as the store's.
func (d *demo) problem(r *http.Request, err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, session.ErrUserEnded):
		return badCredentials
	case errors.Is(err, session.ErrTarget):
		return badTarget
	case errors.Is(err, session.ErrMaxSessions):
		return tooMany
	case errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrNamespaceEnded):
		return ended
	case errors.Is(err, session.ErrRenewed):
		return overtaken
	}
	d.log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return unavailable
}
