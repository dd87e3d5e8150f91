package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestPage_needsNoInlineCode(t *testing.T) {
	b := start(t, "", "", "").browser(t)
	b.signup("linus")
	r := b.get("/")
	want(t, r, http.StatusOK)
	csp := r.Header.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
		"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'"} {
		if !strings.Contains(csp, directive) {
			t.Errorf("no %s in %q", directive, csp)
		}
	}
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
		"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Strict-Transport-Security": "",
	} {
		if got := r.Header.Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	if bad := regexp.MustCompile(`<script>|<style|style=|\son[a-z]+=|javascript:`).FindString(r.body); bad != "" {
		t.Errorf("the page has %q", bad)
	}
	for _, link := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(r.body, -1) {
		want(t, b.get(link[1]), http.StatusOK)
	}
}

func TestPage_knowsTheVisitor(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	for range 2 {
		r := b.get("/")
		want(t, r, http.StatusOK)
		if !strings.Contains(r.body, `<body data-user="">`) || strings.Contains(r.body, `action="/logout"`) {
			t.Errorf("a visitor sees %s", r.body)
		}
	}
	b.signup("linus")
	r := b.get("/")
	if !strings.Contains(r.body, `<body data-user="linus">`) || !strings.Contains(r.body, `action="/logout"`) {
		t.Errorf("linus sees %s", r.body)
	}
}

func TestPage_showsErrorsOfItsOwnWordsOnly(t *testing.T) {
	b := start(t, "", "", "").browser(t)
	if r := b.get("/?error=taken"); !strings.Contains(r.body, nameTaken.text) {
		t.Errorf("page %s", r.body)
	}
	if r := b.get("/?error=Call+0190+now"); strings.Contains(r.body, "0190") {
		t.Errorf("page %s", r.body)
	}
}

func TestPage_behindTLSAsksForIt(t *testing.T) {
	r := start(t, "", "", "https://chat.example").browser(t).get("/")
	if got := r.Header.Get("Strict-Transport-Security"); got == "" {
		t.Error("no Strict-Transport-Security")
	}
	if strings.Contains(r.body, "grace") {
		t.Errorf("a page for everybody tells of accounts to try it with: %s", r.body)
	}
}

func TestAsset_isKeptWhileItIsTheSame(t *testing.T) {
	b := start(t, "", "", "").browser(t)
	for path, media := range map[string]string{
		"/static/app.js": "text/javascript; charset=utf-8", "/static/style.css": "text/css; charset=utf-8",
		"/static/icon.svg": "image/svg+xml",
	} {
		r := b.get(path)
		want(t, r, http.StatusOK)
		if got := r.Header.Get("Content-Type"); got != media || len(r.Header.Values("Vary")) > 0 {
			t.Errorf("%s: Content-Type = %q, Vary = %q", path, got, r.Header.Values("Vary"))
		}
		again, err := http.NewRequestWithContext(t.Context(), "GET", b.node.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		again.Header.Set("If-None-Match", r.Header.Get("ETag"))
		resp, err := b.http.Do(again)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %d", path, resp.StatusCode)
		}
	}
	want(t, b.get("/static/index.html"), http.StatusNotFound)
	want(t, b.do("HEAD", "/", "", ""), http.StatusOK)
}
