package redistest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

func TestTrips_aPipelineIsOne(t *testing.T) {
	c := redistest.Shared(t).Client(t)
	trips := redistest.RecordTrips(c)
	ctx := t.Context()

	c.Ping(ctx) // on a connection that is opened for it
	pipe := c.Pipeline()
	pipe.Ping(ctx)
	pipe.Echo(ctx, "x")
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	c.Do(ctx, "nonsense") // fails
	if diff := cmp.Diff([]string{"ping", "ping echo", "nonsense"}, trips.Take()); diff != "" {
		t.Errorf("trips (-want +got):\n%s", diff)
	}
	if again := trips.Take(); again != nil {
		t.Errorf("trips after Take: %q", again)
	}
}
