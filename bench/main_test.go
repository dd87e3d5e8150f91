package bench

import (
	"testing"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

func TestMain(m *testing.M) {
	if !isNode() {
		redistest.Main(m)
	}
}
