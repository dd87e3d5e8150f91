package session

// undecodable notes that a namespace holds a text that no session wrote. Who
// could write it can read what is there too, so it is a matter of security. The
// text itself is not logged; what a [Codec] says of it must not quote it.
func (m *Manager) undecodable(id, namespace string, why error) {
	m.stats.corrupt.Add(1)
	m.log.Warn("session data corrupted", "security", true, "id", Short(id), "namespace", namespace, "reason", why)
}
