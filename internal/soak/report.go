package soak

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what [Check] found.
type Report struct {
	Rows       []*Row // one for each kind of fault
	Violations []Violation
	Undecided  int // counters that too many saves of unknown outcome may make up
	Chances
	totals string
}

// Row is what happened under one kind of fault.
type Row struct {
	Fault      FaultKind
	Faults     int
	Ends       int             // of sessions, and of sockets by a login
	Dispatch   []time.Duration // of each socket: from its end to the last message dispatched or delivered
	Close      []time.Duration // likewise, to its close
	Violations [kinds]int
}

func newReport(h *History) *Report {
	r := &Report{}
	for _, k := range slices.Concat([]FaultKind{Quiet}, Faults, []FaultKind{Busy, Untold}) {
		row := &Row{Fault: k}
		for _, f := range h.Faults {
			if f.Kind == k {
				row.Faults++
			}
		}
		r.Rows = append(r.Rows, row)
	}
	dispatched, saved := 0, 0
	for _, m := range h.Messages {
		if m.Dispatched != 0 {
			dispatched++
		}
		if m.Saved != 0 {
			saved++
		}
	}
	byScope := make(map[Scope]int)
	outcomes := make(map[Outcome]int)
	for _, a := range h.Acts {
		byScope[a.Scope]++
		outcomes[a.Outcome]++
	}
	acts := ""
	for _, s := range []Scope{This, Others, All, One, Namespace, Replaced, Administrator, Disabled, Connection} {
		acts += fmt.Sprintf(", %s %d", s, byScope[s])
	}
	var still time.Duration
	for _, s := range h.Stalls {
		still += s.To - s.From
	}
	r.totals = fmt.Sprintf("%v, %d lives of nodes, %d logins and renewals, %d expiries of their own, %d sockets, %d messages "+
		"(%d dispatched, %d saved), %d deliveries, %d loads; the machine stood still for %v in all\n"+
		"ends: %d (done %d, owed %d, refused %d, unknown %d)%s",
		h.End.Round(time.Second), len(h.Nodes), len(h.Logins), len(h.Expiries), max(0, len(h.Sockets)-1), max(0, len(h.Messages)-1),
		dispatched, saved, len(h.Deliveries), len(h.Loads), still.Round(time.Millisecond),
		len(h.Acts), outcomes[Done], outcomes[Owed], outcomes[Refused], outcomes[Unknown], acts)
	return r
}

func (r *Report) row(k FaultKind) *Row {
	for _, row := range r.Rows {
		if row.Fault == k {
			return row
		}
	}
	row := &Row{Fault: k}
	r.Rows = append(r.Rows, row)
	return row
}

// count puts the ends of a session down to the faults around them.
func (r *Report) count(h *History, b *biography) {
	for _, e := range b.ends {
		if e.at > h.End || e.scope == denied || e.scope == expired && e.from > firstEnd(b) {
			continue
		}
		kind := Quiet
		if f := h.faultAt(anyNode, Span{e.at, e.at}); f != nil {
			kind = f.Kind
		}
		r.row(kind).Ends++
	}
}

// firstEnd returns when somebody ended a session, or [Never].
func firstEnd(b *biography) time.Duration {
	first := Never
	for _, e := range b.ends {
		if e.session() && e.scope != expired {
			first = min(first, e.from)
		}
	}
	return first
}

// Failed reports whether there is a violation.
func (r *Report) Failed() bool { return len(r.Violations) > 0 }

// Print writes the table.
func (r *Report) Print(out io.Writer) {
	fmt.Fprintln(out, r.totals)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "fault\ttimes\tends\tsockets\tdispatch p99\tworst\tclose p99\tworst\talive\tlate\tback\tlost\tunsaved\t")
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t", row.Fault, row.Faults, row.Ends, len(row.Close),
			at(row.Dispatch, 99), at(row.Dispatch, 100), at(row.Close, 99), at(row.Close, 100))
		for _, n := range row.Violations {
			fmt.Fprintf(w, "%d\t", n)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	var chances []string
	for _, c := range r.counts() {
		chances = append(chances, fmt.Sprintf("%s %d", c.name, c.n))
	}
	fmt.Fprintf(out, "chances to find: %s\n", strings.Join(chances, ", "))
	if r.Undecided > 0 {
		fmt.Fprintf(out, "%d counters could not be decided: too many saves of unknown outcome\n", r.Undecided)
	}
}

// at returns a percentile.
func at(all []time.Duration, percent int) string {
	if len(all) == 0 {
		return "-"
	}
	all = slices.Clone(all)
	slices.Sort(all)
	d := all[(len(all)*percent+99)/100-1]
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}

// Explain writes the first violations, each with what the history has of its
// session around it.
func (r *Report) Explain(out io.Writer, h *History, most int) {
	for i, v := range r.Violations {
		if i == most {
			fmt.Fprintf(out, "... and %d more\n", len(r.Violations)-most)
			return
		}
		fmt.Fprintf(out, "\n%s (fault: %s): session %.8s: %s\n", v.Kind, v.Fault, v.Session, v.Text)
		for _, l := range h.around(v) {
			fmt.Fprintf(out, "  %12v  %s\n", l.at.Round(time.Microsecond), l.text)
		}
	}
}

// line is one moment of a history in words.
type line struct {
	at   time.Duration
	text string
}

// around returns what happened to a violation's session, and what was broken,
// near it.
func (h *History) around(v Violation) []line {
	var all []line
	add := func(at time.Duration, format string, args ...any) {
		if at != 0 && at != Never && v.At-30*time.Second < at && at < v.At+15*time.Second {
			all = append(all, line{at, fmt.Sprintf(format, args...)})
		}
	}
	user := ""
	for _, l := range h.Logins {
		if l.Session == v.Session {
			user = l.User
			add(l.From, "login (elevates %v, keeps %v) at node %v begins", l.Elevates, l.Keeps, l.At)
			add(l.To, "login %v", l.Outcome)
		}
	}
	for _, x := range h.Expiries {
		if x.Session == v.Session {
			add(x.From, "expiry %v, until %v, at node %v begins", x.Idle, x.Until, x.At)
			add(x.To, "expiry %v", x.Outcome)
		}
	}
	for _, a := range h.Acts {
		mine := a.By == v.Session || a.Target == v.Session || a.Socket != 0 && a.Socket == v.Socket
		if mine || user != "" && a.User == user && (a.Scope == All || a.Scope == Others || a.Scope == Disabled) {
			add(a.From, "end (%s) at node %v begins", a.Scope, a.At)
			add(a.To, "end (%s) %v, acked %d of %d", a.Scope, a.Outcome, a.Acked, a.Expected)
		}
	}
	for _, l := range h.Loads {
		if l.Session == v.Session {
			add(l.From, "load at node %v begins", l.At)
			add(l.To, "load: %v, sure %v, total %d, mark %d, chat %d", l.Answer, l.Sure, l.Total, l.Mark, l.Chat)
		}
	}
	for i, s := range h.Sockets {
		if s.Session == v.Session && (v.Socket == 0 || i == v.Socket) {
			add(s.Dialed, "socket %d at node %v is dialed", i, s.At)
			add(s.Opened, "socket %d: the client has it", i)
			add(s.Served, "socket %d: the handler has it", i)
			add(s.Left, "socket %d: the handler loses it, %d", i, s.Reason)
			add(s.Closed, "socket %d: the client loses it, %d", i, s.Code)
		}
	}
	for i, m := range h.Messages {
		if m.Session == v.Session && (v.Socket == 0 || m.Socket == v.Socket) {
			add(m.Sent, "message %d is sent on socket %d", i, m.Socket)
			add(m.Dispatched, "message %d is dispatched (in chat: %v)", i, m.InChat)
			add(m.Saved, "message %d is saved", i)
			add(m.Answered, "message %d is answered", i)
		}
	}
	for _, d := range h.Deliveries {
		if v.Socket != 0 && d.Socket == v.Socket {
			add(d.At, "message %d is delivered on socket %d", d.Message, d.Socket)
		}
	}
	for _, n := range h.Nodes {
		add(n.From, "node %v begins", n.Place)
		add(n.To, "node %v ends", n.Place)
	}
	for _, f := range h.Faults {
		add(f.From, "FAULT %s, node %d, begins", f.Kind, f.Slot)
		add(f.To, "FAULT %s, node %d, is over", f.Kind, f.Slot)
	}
	for _, f := range h.withBusy().Faults[len(h.Faults):] {
		add(f.From, "the machine is busy")
		add(f.To, "the machine is not busy any more")
	}
	slices.SortStableFunc(all, func(x, y line) int { return cmp.Compare(x.at, y.at) })
	all = fold(all)
	// The violation is at its end more often than not.
	const most = 60
	if len(all) > most {
		i, _ := slices.BinarySearchFunc(all, v.At, func(l line, at time.Duration) int { return cmp.Compare(l.at, at) })
		from := min(max(0, i-most*2/3), len(all)-most)
		all = all[from : from+most]
	}
	return all
}

// fold leaves of many deliveries in a row the first and the last: what else happened
// tells more.
func fold(all []line) (few []line) {
	delivery := func(i int) bool { return i >= 0 && i < len(all) && strings.Contains(all[i].text, "is delivered") }
	for i, l := range all {
		if !delivery(i-1) || !delivery(i) || !delivery(i+1) {
			few = append(few, l)
		}
	}
	return few
}
