package sessiontest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// describe returns a history as text, a line for each operation, by the time
// of its call.
func describe(history []porcupine.Operation) string {
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var text strings.Builder
	for _, o := range history {
		op, got := o.Input.(operation), o.Output.(answer)
		fmt.Fprintf(&text, "%d-%d client %d: %v = epoch %d, %+v %v, %v\n",
			o.Call, o.Return, o.ClientId, op, got.rec.Epoch, got.rec.Spaces, got.rec.Values, got.err)
	}
	return text.String()
}

func (op operation) String() string {
	switch {
	case op.create != nil:
		return fmt.Sprintf("create %+v, ends in %v", *op.create, op.until)
	case op.load != nil:
		return fmt.Sprintf("load %+v", *op.load)
	case op.save != nil:
		if op.save.Expiry != nil {
			return fmt.Sprintf("save %+v with %+v, ends in %v", *op.save, *op.save.Expiry, op.until)
		}
		return fmt.Sprintf("save %+v", *op.save)
	case op.login != nil:
		return fmt.Sprintf("login %+v, ends in %v", *op.login, op.until)
	case op.end != nil:
		return fmt.Sprintf("end %+v", *op.end)
	}
	return fmt.Sprintf("pass %v", op.pass)
}
