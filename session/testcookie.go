package session

// The test cookie is as Django has it, key and value too.
const (
	testCookie       = Field[string]("testcookie")
	testCookieWorked = "worked"
)

// SetTestCookie sets a value by which a later request can tell whether the
// browser keeps cookies: [Session.TestCookieWorked]. Errors: [ErrCommitted],
// [ErrNamespaceEnded].
func (s *Session) SetTestCookie() error { return testCookie.Set(s, testCookieWorked) }

// TestCookieWorked reports whether the value of [Session.SetTestCookie] is
// there. In the request that sets it, it is, and says nothing of the browser.
func (s *Session) TestCookieWorked() bool {
	v, err := testCookie.Get(s)
	return err == nil && v == testCookieWorked
}

// DeleteTestCookie removes the value. The session stays, and its cookie.
// Errors: [ErrNamespaceEnded].
func (s *Session) DeleteTestCookie() error { return testCookie.Delete(s) }
