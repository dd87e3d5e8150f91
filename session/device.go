package session

import (
	"net/http"
	"strings"
)

// network returns the network of a request's client, which says about where it
// is and not who: "" when it is not known.
func (m *Manager) network(r *http.Request) string {
	if m.address == nil {
		return ""
	}
	a := m.address(r).Unmap()
	if !a.IsValid() {
		return ""
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	net, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return net.String()
}

// device returns a label for the user's list of sessions, as in "Firefox on
// Linux": enough to recognise one's own, too little to tell people apart.
func device(h http.Header) string {
	agent := h.Get("User-Agent")
	if agent == "" {
		return ""
	}
	// The order matters: Edge says Chrome too, and Chrome says Safari.
	browser := find(agent, "Edg", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "Chrome/", "Chrome",
		"Safari/", "Safari", "curl/", "curl")
	system := find(agent, "Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows",
		"Mac OS", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	switch {
	case browser == "" && system == "":
		return "another client"
	case browser == "":
		return system
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// find returns the name of the first mark that stands in s. marks are pairs of
// a mark and its name.
func find(s string, marks ...string) string {
	for i := 0; i < len(marks); i += 2 {
		if strings.Contains(s, marks[i]) {
			return marks[i+1]
		}
	}
	return ""
}
