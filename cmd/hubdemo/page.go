package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

//go:embed static
var static embed.FS

// page is the page and what it loads. Sign up, log in and log out are forms and
// need no script; the chat needs one.
type page struct {
	index  *template.Template
	assets map[string]asset
}

type asset struct {
	body []byte
	etag string
}

func newPage() (*page, error) {
	index, err := template.ParseFS(static, "static/index.html")
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	p := &page{index: index, assets: make(map[string]asset)}
	for _, name := range []string{"app.js", "style.css", "icon.svg"} {
		body, err := static.ReadFile("static/" + name)
		if err != nil {
			return nil, fmt.Errorf("read the page: %w", err)
		}
		sum := sha256.Sum256(body)
		p.assets[name] = asset{body, `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return p, nil
}

// asset serves a file that the page loads. It is the same for everybody and
// asks no session.
func (p *page) asset(w http.ResponseWriter, r *http.Request) {
	name := chi.URLParam(r, "name")
	a, ok := p.assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", a.etag)
	w.Header().Set("Cache-Control", "no-cache") // may be kept, is asked for again
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(a.body))
}

// view is what the page shows before its script runs.
type view struct {
	User    string
	Error   string
	Unknown bool // there is a cookie, and whose it is cannot be looked up
	Seeded  bool // there are accounts to try the demo with
}

// index serves the page. seeded says that there are accounts to try it with.
func (d *demo) index(seeded bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		code := http.StatusOK
		v := view{Error: sentence(r.URL.Query().Get("error")), Seeded: seeded}
		s, err := current(r.Context())
		if err != nil {
			p := d.problem(r, err)
			code, v.Error, v.Unknown = p.status, p.text, p.status == http.StatusServiceUnavailable
		}
		v.User = s.User
		var b bytes.Buffer
		if err := d.page.index.Execute(&b, v); err != nil {
			d.log.ErrorContext(r.Context(), "render the page", "error", err)
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		_, _ = b.WriteTo(w)
	}
}
