package bench

import (
	"testing"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }
