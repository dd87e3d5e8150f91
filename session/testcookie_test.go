package session_test

import "testing"

func TestSession_testCookie(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	s := b.open(sc, "main")
	if s.TestCookieWorked() {
		t.Error("worked before it was set")
	}
	if err := s.SetTestCookie(); err != nil || !s.TestCookieWorked() {
		t.Errorf("SetTestCookie: %v, worked %v", err, s.TestCookieWorked())
	}
	b.mustCommit(sc)
	if got := b.get("main", "testcookie"); got != `"worked"` {
		t.Errorf("stored %s", got)
	}
	if s := b.open(b.another().scope(), "main"); s.TestCookieWorked() {
		t.Error("worked in a browser that keeps no cookies")
	}
	sc = b.scope()
	s = b.open(sc, "main")
	if !s.TestCookieWorked() {
		t.Error("did not work in the next request")
	}
	if err := s.DeleteTestCookie(); err != nil || s.TestCookieWorked() {
		t.Errorf("DeleteTestCookie: %v, worked %v", err, s.TestCookieWorked())
	}
	b.mustCommit(sc)
	if s := b.open(b.scope(), "main"); s.TestCookieWorked() || s.Has("testcookie") {
		t.Error("worked after it was deleted")
	}
	b.set("main", "testcookie", []int{1})
	if b.open(b.scope(), "main").TestCookieWorked() {
		t.Error("another value counts")
	}
}
