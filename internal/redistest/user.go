package redistest

import "testing"

// SetUser gives a user of the server these rules of ACL SETUSER, beyond those
// that it has, as in SetUser(t, "hub", ">password", "~app:*", "-@all", "+get").
// The user is on.
func (s *Server) SetUser(t testing.TB, name string, rules ...string) {
	t.Helper()
	args := []any{"acl", "setuser", name, "on"}
	for _, r := range rules {
		args = append(args, r)
	}
	c := s.client()
	defer c.Close()
	if err := c.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("redistest: %v", err)
	}
}
