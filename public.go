package sessionhub

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sessionhub/sessionhub/transport"
)

// public is what [Options.Public] says.
type public struct {
	secure  bool
	origins []string // allowed; the first is Public
}

func parsePublic(s string) (public, error) {
	origin, err := transport.Origin(s)
	if err != nil {
		return public{}, fmt.Errorf("sessionhub: Public: %w", err)
	}
	p := public{secure: strings.HasPrefix(origin, "https:"), origins: []string{origin}}
	if p.secure {
		return p, nil
	}
	host, port := strings.TrimPrefix(origin, "http://"), ""
	if i := strings.LastIndexByte(host, ':'); i > strings.IndexByte(host, ']') {
		host, port = host[:i], host[i:]
	}
	// Three spellings of the same page.
	loopback := []string{"localhost", "127.0.0.1", "[::1]"}
	if slices.Contains(loopback, host) {
		for _, h := range loopback {
			if h != host {
				p.origins = append(p.origins, "http://"+h+port)
			}
		}
	}
	return p, nil
}
