package main

import (
	"flag"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// config is what the command line and the environment say.
type config struct {
	listen  string
	redis   string // a URL; may hold a password
	node    string
	public  string
	proxies []netip.Prefix
}

const usage = `Usage: hubdemo [serve] [flags]

A small chat server. Flags may also stand in the environment, as
HUBDEMO_LISTEN, HUBDEMO_REDIS, HUBDEMO_NODE, HUBDEMO_PUBLIC and
HUBDEMO_TRUSTED_PROXIES; a flag comes first. A URL of Redis with a
password belongs there: other users can see command lines. How long a
session lives and what it may hold stands there too, as in
SESSION_IDLE_TIMEOUT=5m or CHAT_SESSION_IDLE_TIMEOUT=1m.

    hubdemo
    hubdemo --redis redis://127.0.0.1:6379/0 --listen 127.0.0.1:8081 --node b

`

// parseConfig reads the command line without the program's name, and what it
// leaves out from the environment. For -h it writes the usage to out and returns
// [flag.ErrHelp].
func parseConfig(args []string, lookup func(string) (string, bool), out io.Writer) (config, error) {
	var (
		c       config
		proxies string
	)
	fs := flag.NewFlagSet("hubdemo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&c.listen, "listen", "127.0.0.1:8080", "`address` to listen on; port 0 finds a free one")
	fs.StringVar(&c.redis, "redis", "", "`URL` of Redis, as redis://host:6379/0; without it this node works alone")
	fs.StringVar(&c.node, "node", "", "`name` of this node in logs")
	fs.StringVar(&c.public, "public", "", "`URL` that browsers use, as https://chat.example; default http and the listen address")
	fs.StringVar(&proxies, "trusted-proxies", "", "`networks` of the proxies in front, as 10.0.0.0/8,::1/128")
	if len(args) > 0 && args[0] == "serve" {
		args = args[1:]
	}
	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp {
			fmt.Fprint(out, usage)
			fs.SetOutput(out)
			fs.PrintDefaults()
		}
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("unknown command %q", fs.Arg(0))
	}
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	fs.VisitAll(func(f *flag.Flag) {
		v, _ := lookup("HUBDEMO_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")))
		if v != "" && !given[f.Name] {
			_ = f.Value.Set(v) // a text takes any
		}
	})
	for s := range strings.SplitSeq(proxies, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return c, fmt.Errorf("trusted proxies: %q is no network, as 10.0.0.0/8 is one", s)
		}
		c.proxies = append(c.proxies, p)
	}
	return c, nil
}
