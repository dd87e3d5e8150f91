package sessiontest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// The timeouts of the family that the suite uses. The namespace "cart" has
// none of its own. The idle timeout of "code" is well below a tenth of the
// root's.
const (
	mainIdle, mainLife = 30 * time.Minute, 8 * time.Hour
	chatIdle, chatLife = 10 * time.Minute, 2 * time.Hour
	codeIdle, codeLife = 1 * time.Minute, 20 * time.Minute
)

// slack is how much real time a case may take before its durations count as
// wrong. What the suite measures is minutes.
const slack = 8 * time.Second

// visitor is one writer of one session, and what it knows of it.
type visitor struct {
	*testing.T
	Harness
	family *session.Family
	id     string
	user   string // a user nobody else is
	secret session.Hash
	seen   session.Record // as of the last load or save
}

// newVisitor returns a visitor that has no session yet.
func newVisitor(t *testing.T, h Harness) *visitor {
	return &visitor{
		T:       t,
		Harness: h,
		family: &session.Family{Spaces: []session.Space{
			{Name: "main", Prefix: "main", Idle: mainIdle, Life: mainLife},
			{Name: "chat", Prefix: "chat", Idle: chatIdle, Life: chatLife},
			{Name: "cart", Prefix: "cart"},
			{Name: "code", Prefix: "code", Idle: codeIdle, Life: codeLife},
		}},
		id:     newID(),
		user:   "user-" + rand.Text(),
		secret: newHash(),
	}
}

// newID returns an id in the form that the session package gives them.
func newID() string { return rand.Text()[:22] }

// newHash returns the hash of a secret nobody has.
func newHash() session.Hash {
	h := sha256.Sum256([]byte(rand.Text()))
	return session.Hash(hex.EncodeToString(h[:]))
}

// another returns a second writer of the same session, who knows as much.
func (v *visitor) another() *visitor {
	w := *v
	return &w
}

// stranger returns a visitor without a session at the same store.
func (v *visitor) stranger() *visitor { return newVisitor(v.T, v.Harness) }

// begin creates the session, with an id, a nonce and a hash unless c has them.
func (v *visitor) begin(c session.Create) *visitor {
	v.Helper()
	rec, err := v.create(c)
	if err != nil {
		v.Fatalf("Create = %v", err)
	}
	v.seen = rec
	return v
}

func (v *visitor) create(c session.Create) (session.Record, error) {
	if c.ID == "" {
		c.ID = v.id
	}
	if c.Nonce == "" {
		c.Nonce = rand.Text()
	}
	if c.Hash == "" {
		c.Hash = v.secret
	}
	return v.Store.Create(v.Context(), v.family, c)
}

func (v *visitor) load(l session.Load) (session.Record, error) {
	return v.Store.Load(v.Context(), v.family, v.id, l)
}

// mustLoad loads the session, which must open.
func (v *visitor) mustLoad(l session.Load) session.Record {
	v.Helper()
	rec, err := v.load(l)
	if err != nil {
		v.Fatalf("Load = %v", err)
	}
	if rec.ID != v.id {
		v.Fatalf("Load has the id %q and the match %d, want %q", rec.ID, rec.Match, v.id)
	}
	return rec
}

// spaceLeft returns how long a namespace of rec has until its deadline.
func spaceLeft(rec session.Record, name string) time.Duration {
	return left(rec.State, rec.Space(name))
}

// now returns the store's time, by creating a session of a stranger's.
func (v *visitor) now() time.Time {
	v.Helper()
	rec, err := v.stranger().create(session.Create{})
	for errors.Is(err, session.ErrUnavailable) {
		rec, err = v.stranger().create(session.Create{})
	}
	if err != nil {
		v.Errorf("Create = %v", err)
	}
	return rec.Now
}

// look loads the session without leaving a trace, and remembers it.
func (v *visitor) look() session.Record {
	v.Helper()
	v.seen = v.mustLoad(session.Load{})
	return v.seen
}

// deltas is a change of one namespace for change and save.
func deltas(name string, d session.Delta) map[string]session.Delta {
	return map[string]session.Delta{name: d}
}

// set is a delta that sets keys and values in turn.
func set(pairs ...string) session.Delta {
	d := session.Delta{Set: map[string]string{}}
	for p := range slices.Chunk(pairs, 2) {
		d.Set[p[0]] = p[1]
	}
	return d
}

// known returns the deltas with the generations and versions that the visitor
// has seen.
func (v *visitor) known(ds map[string]session.Delta) map[string]session.Delta {
	ds = maps.Clone(ds)
	for name, d := range ds {
		d.Generation, d.Version = v.seen.Space(name).Generation, v.seen.Space(name).Version
		ds[name] = d
	}
	return ds
}

// change is a save of deltas to the session as the visitor has seen it.
func (v *visitor) change(ds map[string]session.Delta) session.Save {
	return session.Save{Op: rand.Text(), Epoch: v.seen.Epoch, Deltas: v.known(ds)}
}

func (v *visitor) save(s session.Save) (session.Record, error) {
	return v.Store.Save(v.Context(), v.family, v.id, s)
}

// mustSave saves deltas, and remembers the state.
func (v *visitor) mustSave(ds map[string]session.Delta) session.Record {
	v.Helper()
	return v.mustDo(v.change(ds))
}

func (v *visitor) mustDo(s session.Save) session.Record {
	v.Helper()
	rec, err := v.save(s)
	if err != nil {
		v.Fatalf("Save = %v", err)
	}
	v.seen.State = rec.State
	return rec
}

// elevation is a login of the session as the visitor has seen it.
func (v *visitor) elevation() session.Elevation {
	return session.Elevation{
		Op: rand.Text(), Epoch: v.seen.Epoch, Hash: newHash(), User: v.user,
		Notice: "1|e|main|" + v.id + "||" + rand.Text(),
	}
}

func (v *visitor) login(l session.Elevation) (session.Record, error) {
	return v.Store.Login(v.Context(), v.family, v.id, l)
}

func (v *visitor) mustLogin(l session.Elevation) session.Record {
	v.Helper()
	rec, err := v.login(l)
	if err != nil {
		v.Fatalf("Login = %v", err)
	}
	v.seen.State = rec.State
	return rec
}

// end is the end of the session.
func (v *visitor) end() session.End {
	return session.End{ID: v.id, Notice: "1|s|main|" + v.id + "||" + rand.Text()}
}

// endOf is the end of a namespace as the visitor has seen it.
func (v *visitor) endOf(name string) session.End {
	return session.End{
		ID: v.id, Namespace: name, Generation: v.seen.Space(name).Generation,
		Notice: "1|n|main|" + v.id + "|" + name + "|" + rand.Text(),
	}
}

func (v *visitor) mustEnd(ends ...session.End) {
	v.Helper()
	if err := v.Store.Delete(v.Context(), v.family, ends...); err != nil {
		v.Fatalf("Delete = %v", err)
	}
}

// check returns the state of the session, nil when it does not live.
func (v *visitor) check() *session.State {
	v.Helper()
	states, err := v.Store.Check(v.Context(), v.family, []string{v.id})
	if err != nil || len(states) != 1 {
		v.Fatalf("Check of one id = %d states, %v", len(states), err)
	}
	return states[0]
}

// listed returns the ids that the visitor's user has in the index.
func (v *visitor) listed() []string {
	v.Helper()
	list, err := v.Store.Listed(v.Context(), v.family, v.user)
	if err != nil {
		v.Fatalf("Listed = %v", err)
	}
	return idsOf(list)
}

func idsOf(list []session.Listing) []string {
	var ids []string
	for _, l := range list {
		ids = append(ids, l.ID)
	}
	return ids
}

// delivered returns the new notices about this session.
func (v *visitor) delivered() []string {
	return slices.DeleteFunc(v.Notices(), func(n string) bool { return !strings.Contains(n, v.id) })
}
